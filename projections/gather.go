package projections

import (
	"context"
	"iter"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

const (
	// longest is how long a projection rests at most: so much it is behind.
	longest = 500 * time.Millisecond

	// most is how many entries a projection is given at once, or some more. One that is
	// behind does with them what it does once for each person, page or transaction, so it
	// takes less for each entry the further it is behind.
	most = 16_384
)

// A gathering history yields more at once the more there is. A transaction
// writes every page that it changes, so many small ones write the same pages
// over and over.
type gathering struct {
	History
	pace  time.Duration   // how long to rest for every entry that was yielded
	hurry <-chan struct{} // somebody waits: do not rest
}

// A step is what a history yielded.
type step struct {
	entries []codec.Entry
	err     error
}

// Follow implements [History], but that the slices are the reader's only until
// the next is yielded.
func (h gathering) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error] {
	return func(yield func([]codec.Entry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		steps := make(chan step)
		go h.read(ctx, after, steps)
		defer func() {
			cancel()
			for range steps { // until read has ended
			}
		}()
		rest := time.NewTimer(0)
		defer rest.Stop()
		var entries []codec.Entry
		var err error
		for {
			entries, err = h.gather(ctx, steps, rest.C, entries[:0])
			if len(entries) > 0 && !yield(entries, nil) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			clear(entries) // what is in them need not live on
			rest.Reset(min(longest, h.pace*time.Duration(len(entries))))
		}
	}
}

// read hands on what the history yields, so that it is read while projections rest
// or apply what came before.
func (h gathering) read(ctx context.Context, after eventstore.Position, to chan<- step) {
	defer close(to)
	for entries, err := range h.History.Follow(ctx, after) {
		select {
		case to <- step{entries, err}:
		case <-ctx.Done():
			return
		}
	}
}

// gather adds at least one entry to those given, or an error after those that
// came before it. It waits for more until the rest is over, there are enough, or somebody
// is in a hurry.
func (h gathering) gather(
	ctx context.Context, steps <-chan step, rest <-chan time.Time, entries []codec.Entry,
) ([]codec.Entry, error) {
	for rested := false; len(entries) == 0 || !rested && len(entries) < most; {
		select {
		case s, ok := <-steps:
			switch {
			case ctx.Err() != nil:
				return entries, ctx.Err()
			case !ok:
				return entries, errEnded
			case s.err != nil:
				return entries, s.err
			}
			entries = append(entries, s.entries...)
		case <-rest:
			rested = true
		case <-h.hurry:
			rested = true
		}
	}
	return entries, nil
}
