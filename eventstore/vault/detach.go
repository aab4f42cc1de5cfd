package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"consentledger/eventstore"
)

// Detach makes l lead to nobody: the outside id was given to somebody else, or
// its account was closed. The person keeps entry, parts and other lookups. Until
// the given time a tombstone tells [Vault.ErasedAt] so, and for as long as the
// person is not erased a row of theirs. It is no error if l does not lead to p.
func (v *Vault) Detach(ctx context.Context, p *Person, l Lookup, at, until time.Time) error {
	if err := l.check(); err != nil {
		return err
	}

	app, err := v.AppKey(ctx, l.App)
	if err != nil {
		return err
	}
	defer v.people.forget(p)
	m := app.lookup(l)
	name, ok, err := v.lookedUp(ctx, l.App, m)
	if err != nil || !ok || name != p.Pseudonym {
		return err
	}

	lookup, detached := lookupKey(l.App, m), detachKey(p.App, p.Pseudonym, m)
	err = v.rows.Write(ctx, eventstore.Change{
		Present: [][]byte{lookup, entryKey(p.App, p.Pseudonym)},
		// Who detached first may already have made room for somebody else.
		Absent: [][]byte{detached},
		Delete: [][]byte{lookup, nearKey(p.App, app.near(l), m), ownNearKey(p.App, p.Pseudonym, m)},
		Put: []eventstore.Row{
			{Key: detached, Value: versioned()},
			{Key: tombKey(p.App, app.tombstone(m), until.UnixMilli()), Value: millis(at)},
			{Key: endKey(p.App, app.tombstone(m), p.Pseudonym), Value: millis(at)},
		},
	})
	if errors.Is(err, eventstore.ErrCondition) {
		return nil // somebody else did it, or erased the person
	}
	if err != nil {
		return fmt.Errorf("vault: detach from %s: %w", p.Pseudonym, err)
	}
	return nil
}

// isDetached reports whether m was taken from p.
func (v *Vault) isDetached(ctx context.Context, p *Person, m mac) (bool, error) {
	_, ok, err := v.rows.Get(ctx, detachKey(p.App, p.Pseudonym, m))
	return ok, err
}
