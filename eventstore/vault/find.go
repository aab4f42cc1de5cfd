package vault

import (
	"context"
	"errors"
	"fmt"

	"consentledger/eventstore"
)

// tries bounds how often a method starts again because someone else was first.
const tries = 16

// Find returns the person that l leads to, and whether there is one. It writes
// nothing.
func (v *Vault) Find(ctx context.Context, l Lookup) (*Person, bool, error) {
	if p := v.people.find(l); p != nil {
		return p, true, nil
	}
	if err := l.check(); err != nil {
		return nil, false, err
	}
	return v.findRows(ctx, l)
}

// FindAnew is [Vault.Find] that asks the rows, whatever is remembered: the history of
// whom l led to has ended, and another vault may have let l lead to somebody else.
func (v *Vault) FindAnew(ctx context.Context, l Lookup) (*Person, bool, error) {
	if p := v.people.find(l); p != nil {
		v.people.forget(p)
	}
	return v.findRows(ctx, l)
}

func (v *Vault) findRows(ctx context.Context, l Lookup) (*Person, bool, error) {
	for range tries {
		erasures := v.people.erasures.Load()
		p, broken, err := v.findRow(ctx, l)
		if err != nil {
			return nil, false, err
		}
		if p == nil && broken {
			continue // erased between the two reads
		}
		if p == nil {
			return nil, false, nil
		}
		v.people.keep(erasures, l, p)
		return p, true, nil
	}
	return nil, false, errors.New("vault: a lookup row leads to a person who has no entry")
}

// findRow reads the rows of l. It returns no person if there is none, and
// broken if there was one between the reads.
func (v *Vault) findRow(ctx context.Context, l Lookup) (p *Person, broken bool, err error) {
	app, ok, err := v.findAppKey(ctx, l.App)
	if err != nil || !ok {
		return nil, false, err
	}
	name, ok, err := v.lookedUp(ctx, l.App, app.lookup(l))
	if err != nil || !ok {
		return nil, false, err
	}
	p, ok, err = v.readEntry(ctx, l.App, name)
	return p, !ok, err
}

// lookedUp returns the pseudonym that a lookup row leads to.
func (v *Vault) lookedUp(ctx context.Context, app string, m mac) (Pseudonym, bool, error) {
	value, ok, err := v.rows.Get(ctx, lookupKey(app, m))
	if err != nil {
		return Pseudonym{}, false, fmt.Errorf("vault: lookup row: %w", err)
	}
	if !ok {
		return Pseudonym{}, false, nil
	}

	b, err := body("lookup row", value, len(Pseudonym{}))
	if err != nil {
		return Pseudonym{}, false, err
	}
	if len(b) != len(Pseudonym{}) {
		return Pseudonym{}, false, fmt.Errorf("vault: lookup row: %d bytes too many", len(b)-len(Pseudonym{}))
	}
	return Pseudonym(b), true, nil
}

// readEntry returns the person whose entry is in the rows.
func (v *Vault) readEntry(ctx context.Context, app string, name Pseudonym) (*Person, bool, error) {
	key := entryKey(app, name)
	value, ok, err := v.rows.Get(ctx, key)
	if err != nil {
		return nil, false, fmt.Errorf("vault: entry %s: %w", name, err)
	}
	if !ok {
		return nil, false, nil
	}

	if _, err := body("entry "+name.String(), value, len(mac{})+1); err != nil {
		return nil, false, err
	}

	dataKey, err := v.unwrap(ctx, eventstore.Row{Key: key, Value: value}, len(mac{}))
	if err != nil {
		return nil, false, fmt.Errorf("vault: entry %s: %w", name, err)
	}

	p, err := newPerson(app, name, dataKey)
	if err != nil {
		return nil, false, fmt.Errorf("vault: entry %s: %w", name, err)
	}
	return p, true, nil
}

// ByPseudonym returns the person of that name, and whether there is one.
func (v *Vault) ByPseudonym(ctx context.Context, app string, name Pseudonym) (*Person, bool, error) {
	if p := v.people.named(app, name); p != nil {
		return p, true, nil
	}
	if err := checkApp(app); err != nil {
		return nil, false, err
	}
	erasures := v.people.erasures.Load()
	p, ok, err := v.readEntry(ctx, app, name)
	if err != nil || !ok {
		return nil, false, err
	}
	v.people.keepNamed(erasures, p)
	return p, true, nil
}
