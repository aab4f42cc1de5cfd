package ledger

import (
	"context"
	"errors"
	"fmt"

	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/rehearsal"
)

// A Rehearsal is a ledger that knows all that another one does, decides as it does, and
// keeps nothing: no record, no row of the vault, no identity of a request. It is for one
// request. What it answers is true of the moment at which it began.
type Rehearsal struct {
	*Ledger
	Blobs *blobs.Blobs

	store *rehearsal.Store
}

// rehearsalMemory is for the folds of one request.
const rehearsalMemory = 1 << 20

// Rehearse returns a Rehearsal of l. A person who would be met gets another random
// pseudonym than by the real request: ids and positions of what it records mean nothing.
func (l *Ledger) Rehearse(ctx context.Context) (*Rehearsal, error) {
	if l.blobs == nil {
		return nil, errors.New("ledger: there is nothing to rehearse in: it has no blobs")
	}
	if err := l.store.Barrier(ctx); err != nil {
		return nil, err
	}

	store := rehearsal.Over(l.store)
	over := func(rows eventstore.Rows) eventstore.Rows { return rehearsal.OverRows(rows) }
	c := Config{
		Store: store, Vault: l.vault.Over(over), Blobs: l.blobs.Over(over), Now: l.Now, Memory: rehearsalMemory,
	}
	if l.known.rows != nil {
		c.Rows = over(l.known.rows)
	}

	dry, err := Open(ctx, c)
	if err != nil {
		return nil, err
	}
	dry.needsTwo, dry.stillMay, dry.rehearses = l.needsTwo, l.stillMay, true
	return &Rehearsal{Ledger: dry, Blobs: c.Blobs, store: store}, nil
}

// Recorded returns what would be recorded by what was executed, in its order.
func (r *Rehearsal) Recorded() ([]codec.Entry, error) {
	var all []codec.Entry
	for _, own := range r.store.Appended() {
		e, err := codec.Decode(own)
		if err != nil {
			return nil, fmt.Errorf("a rehearsal: %w", err)
		}
		all = append(all, e)
	}
	return all, nil
}
