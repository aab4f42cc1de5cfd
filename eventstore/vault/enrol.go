package vault

import (
	"context"
	"crypto/rand"
	"encoding/binary"
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
		p, fresh, err := v.Meet(ctx, l)
		if err == nil && fresh {
			err = v.Put(ctx, p)
		}
		if errors.Is(err, ErrTaken) {
			continue // somebody was quicker
		}
		if err != nil {
			return nil, false, err
		}
		return p, fresh, nil
	}
	return nil, false, fmt.Errorf("vault: enrolment lost %d races", tries)
}

// Meet is Enrol that writes nothing: who is fresh is enrolled with the [Draft]
// that they are added to, and is nobody if that is not written. What ErasedAt says
// of them before that may be out of date by then.
func (v *Vault) Meet(ctx context.Context, l Lookup) (p *Person, fresh bool, err error) {
	p, ok, err := v.Find(ctx, l)
	if err != nil || ok {
		return p, false, err
	}

	app, err := v.AppKey(ctx, l.App)
	if err != nil {
		return nil, false, err
	}

	var name Pseudonym
	dataKey := make([]byte, keySize)
	rand.Read(name[:])
	rand.Read(dataKey)
	if p, err = newPerson(l.App, name, dataKey); err != nil {
		return nil, false, err
	}

	p.joins = &joins{lookup: l, mac: app.lookup(l), near: app.near(l), dataKey: dataKey}
	return p, true, nil
}

// joins is what the entry of a new person is made of.
type joins struct {
	lookup    Lookup
	mac, near mac
	dataKey   []byte
}

// IsNew reports whether p has no entry before a [Draft] of p is written.
func (p *Person) IsNew() bool { return p.joins != nil }

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
		lookups, _, err := v.lookups(ctx, p)
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
		Put: append([]eventstore.Row{{Key: lookup, Value: versioned(p.Pseudonym[:])},
			{Key: link, Value: versioned(m[:])}}, nearRows(p, near, m)...),
	}
}

// lookups returns the lookups of p, first that of the entry, then the links in
// their order, and the epoch that wraps the key of the entry; or ErrErased.
func (v *Vault) lookups(ctx context.Context, p *Person) (macs []mac, epoch uint32, err error) {
	value, ok, err := v.rows.Get(ctx, entryKey(p.App, p.Pseudonym))
	if err != nil {
		return nil, 0, fmt.Errorf("vault: entry %s: %w", p.Pseudonym, err)
	}

	if !ok {
		v.people.forget(p)
		return nil, 0, ErrErased
	}

	b, err := body("entry "+p.Pseudonym.String(), value, len(mac{})+4)
	if err != nil {
		return nil, 0, err
	}

	macs, epoch = []mac{mac(b[:len(mac{})])}, binary.BigEndian.Uint32(b[len(mac{}):])
	for row, err := range v.rows.Scan(ctx, linkKeys(p.App, p.Pseudonym)) {
		if err != nil {
			return nil, 0, fmt.Errorf("vault: links of %s: %w", p.Pseudonym, err)
		}
		b, err := body("link of "+p.Pseudonym.String(), row.Value, len(mac{}))
		if err != nil {
			return nil, 0, err
		}
		macs = append(macs, mac(b[:len(mac{})]))
	}
	return macs, epoch, nil
}
