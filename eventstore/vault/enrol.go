package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"consentledger/eventstore"
)

// Enrol returns the person that l leads to, whom it makes if there is none:
// fresh says so. Of racing enrolments one makes the person and all return it.
//
// The person survives a crash no later than any record appended after Enrol
// returned. A caller that must not revive somebody asks [Vault.ErasedAt] after
// Enrol said fresh: a tombstone is there as soon as the lookup row is not.
func (v *Vault) Enrol(ctx context.Context, l Lookup) (p *Person, fresh bool, err error) {
	for range tries {
		p, ok, err := v.Find(ctx, l)
		if err != nil || ok {
			return p, false, err
		}
		p, err = v.make(ctx, l)
		if errors.Is(err, eventstore.ErrCondition) {
			continue // somebody was quicker
		}
		return p, err == nil, err
	}
	return nil, false, fmt.Errorf("vault: enrolment lost %d races", tries)
}

func (v *Vault) make(ctx context.Context, l Lookup) (*Person, error) {
	app, err := v.AppKey(ctx, l.App)
	if err != nil {
		return nil, err
	}
	var name Pseudonym
	dataKey := make([]byte, keySize)
	rand.Read(name[:])
	rand.Read(dataKey)
	p, err := newPerson(l.App, name, dataKey)
	if err != nil {
		return nil, err
	}

	v.wrapping.RLock()
	defer v.wrapping.RUnlock()
	erasures := v.people.erasures.Load()
	entry, m := entryKey(l.App, name), app.lookup(l)
	lookup := lookupKey(l.App, m)
	wrapped, err := v.keys.Wrap(dataKey, entry)
	if err != nil {
		return nil, fmt.Errorf("vault: entry %s: %w", name, err)
	}
	err = v.rows.Write(ctx, eventstore.Change{
		Absent: [][]byte{lookup, entry},
		Put:    append([]eventstore.Row{{Key: lookup, Value: versioned(name[:])}, {Key: entry, Value: versioned(m[:], wrapped)}}, nearRows(p, app.near(l), m)...),
	})
	if err != nil {
		return nil, fmt.Errorf("vault: entry %s: %w", name, err)
	}
	p.indexed.Store(true)
	v.people.keep(erasures, l, p)
	return p, nil
}

// Link makes l lead to p as well. It is no error if it already does, is
// [ErrTaken] if it leads to somebody else, and [ErrErased] if p is gone.
func (v *Vault) Link(ctx context.Context, p *Person, l Lookup) error {
	if err := l.check(); err != nil {
		return err
	}
	if l.App != p.App {
		return fmt.Errorf("vault: a lookup of app %q cannot lead to a person of app %q", l.App, p.App)
	}
	app, err := v.AppKey(ctx, l.App)
	if err != nil {
		return err
	}
	m := app.lookup(l)
	for range tries {
		name, taken, err := v.lookedUp(ctx, l.App, m)
		if err != nil {
			return err
		}
		if taken && name != p.Pseudonym {
			return ErrTaken
		}
		lookups, err := v.lookups(ctx, p)
		if err != nil || taken {
			return err
		}
		err = v.rows.Write(ctx, linking(p, m, app.near(l), len(lookups)-1))
		if err == nil || !errors.Is(err, eventstore.ErrCondition) {
			return err
		}
	}
	return fmt.Errorf("vault: link to %s lost %d races", p.Pseudonym, tries)
}

// linking returns the change that makes m the link number n of p. A link that
// is not in the entry's list would outlive it, so the numbers have no gaps, and
// Erase requires that the list has not grown since it read it.
func linking(p *Person, m, near mac, n int) eventstore.Change {
	lookup, link := lookupKey(p.App, m), linkKey(p.App, p.Pseudonym, n)
	return eventstore.Change{
		Present: [][]byte{entryKey(p.App, p.Pseudonym)},
		Absent:  [][]byte{lookup, link},
		Delete:  [][]byte{detachKey(p.App, p.Pseudonym, m)},
		Put:     append([]eventstore.Row{{Key: lookup, Value: versioned(p.Pseudonym[:])}, {Key: link, Value: versioned(m[:])}}, nearRows(p, near, m)...),
	}
}

// lookups returns the lookups of p, first that of the entry, then the links in
// their order; or ErrErased.
func (v *Vault) lookups(ctx context.Context, p *Person) ([]mac, error) {
	value, ok, err := v.rows.Get(ctx, entryKey(p.App, p.Pseudonym))
	if err != nil {
		return nil, fmt.Errorf("vault: entry %s: %w", p.Pseudonym, err)
	}
	if !ok {
		v.people.forget(p)
		return nil, ErrErased
	}
	b, err := body("entry "+p.Pseudonym.String(), value, len(mac{}))
	if err != nil {
		return nil, err
	}
	macs := []mac{mac(b[:len(mac{})])}
	for row, err := range v.rows.Scan(ctx, linkKeys(p.App, p.Pseudonym)) {
		if err != nil {
			return nil, fmt.Errorf("vault: links of %s: %w", p.Pseudonym, err)
		}
		b, err := body("link of "+p.Pseudonym.String(), row.Value, len(mac{}))
		if err != nil {
			return nil, err
		}
		macs = append(macs, mac(b[:len(mac{})]))
	}
	return macs, nil
}
