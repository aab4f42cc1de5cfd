package eventstore

import "context"

// A Catching store says what is new, behind a barrier, in less time than a
// [Store.Barrier], a [Store.Head] and a [Store.Follow] take one after the other.
type Catching interface {
	Store

	// CatchUp is a Barrier, and then Head. It may return records that come after a
	// position, too: as many as it has read by the way, the first of them first and
	// without a gap. Others may be given the same: do not change them.
	CatchUp(ctx context.Context, after Position) (head Position, news []Recorded, err error)
}

// CatchUp returns what [Catching] says: by the store's own way if it has one.
func CatchUp(ctx context.Context, store Store, after Position) (head Position, news []Recorded, err error) {
	if c, is := store.(Catching); is {
		return c.CatchUp(ctx, after)
	}
	if err := store.Barrier(ctx); err != nil {
		return 0, nil, err
	}
	head, err = store.Head(ctx)
	return head, nil, err
}
