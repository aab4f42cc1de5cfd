// Package projections turns the ledger's history into answers.
//
// A projection is a cache: throw it away and Run brings it back. It never
// writes to the ledger and never asks another projection.
package projections

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// A Projection is one answer, kept up to date. Its methods other than its own
// queries are called by one [Run] at a time.
type Projection interface {
	// Name is the same for every instance and every release.
	Name() string

	// Checkpoint returns the position of the last entry in the answer, zero
	// if it is empty.
	Checkpoint(ctx context.Context) (eventstore.Position, error)

	// Apply adds entries, in order, and moves the checkpoint to the last of
	// them, both or neither. It must not skip an entry that it cannot read,
	// and refuses entries that are not after its checkpoint. The slice is the
	// caller's to use again.
	Apply(ctx context.Context, entries []codec.Entry) error
}

// A History is the ledger as a projection may see it.
type History interface {
	// Follow yields the entries after position in slices that are never
	// empty and the reader's to keep, and waits for more. It ends by yielding
	// an error.
	Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error]
}

// Run brings p up to date and keeps it so until ctx is done or something
// fails. It calls progress with the checkpoint, once before the first entry
// and then after every Apply. A failure stops p where it stands: the error
// names p and the position after which it stands.
func Run(ctx context.Context, h History, p Projection, progress func(eventstore.Position)) error {
	at, err := p.Checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("projection %s: %w", p.Name(), err)
	}

	progress(at)
	for entries, err := range h.Follow(ctx, at) {
		if err == nil {
			err = p.Apply(ctx, entries)
		}
		if err != nil {
			return fmt.Errorf("projection %s after %d: %w", p.Name(), at, err)
		}
		at = entries[len(entries)-1].Position
		progress(at)
	}
	return fmt.Errorf("projection %s after %d: %w", p.Name(), at, errEnded)
}

var errEnded = errors.New("the history ended without an error")
