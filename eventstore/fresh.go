package eventstore

import (
	"context"
	"iter"
)

// A Fresh store reads a stream behind a barrier in less time than a
// [Store.Barrier] and a [Store.ReadStream] take one after the other.
type Fresh interface {
	Store

	// ReadFresh is ReadStream behind a Barrier: it yields every record after
	// revision whose append was acknowledged, by any process, before it began.
	ReadFresh(ctx context.Context, stream Stream, after Revision) iter.Seq2[Recorded, error]
}

// ReadFresh yields the records of stream after revision as a read behind a
// barrier does: by the store's own way if it is [Fresh].
func ReadFresh(ctx context.Context, store Store, stream Stream, after Revision) iter.Seq2[Recorded, error] {
	if f, ok := store.(Fresh); ok {
		return f.ReadFresh(ctx, stream, after)
	}

	return func(yield func(Recorded, error) bool) {
		if err := store.Barrier(ctx); err != nil {
			yield(Recorded{}, err)
			return
		}
		for r, err := range store.ReadStream(ctx, stream, after) {
			if !yield(r, err) {
				return
			}
		}
	}
}
