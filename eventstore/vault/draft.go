package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"consentledger/eventstore"
)

// A Draft is what the vault is to keep of people together with an append: their
// parts, and who is new. The zero Draft is empty.
type Draft struct {
	change  eventstore.Change
	people  []*Person // who must have an entry
	joining *Person   // who is new; nil: nobody
}

// Add adds parts of p, as [Vault.Put] keeps them, and p if p is new. They are
// sealed at once. A draft takes one new person.
func (d *Draft) Add(p *Person, parts ...Part) error {
	rows := make([]eventstore.Row, len(parts))
	for i, part := range parts {
		if part.Role == "" || len(part.Role) > MaxName {
			return fmt.Errorf("vault: part of event %s: a role has 1 to %d bytes, this has %d", part.Event, MaxName,
				len(part.Role))
		}
		sealed := p.seal(part.Plain, p.place(part.Event, part.Stream, part.Role))
		rows[i] = eventstore.Row{Key: partKey(p.App, p.Pseudonym, part.Event, part.Role), Value: versioned(sealed)}
	}

	d.change.Put = append(d.change.Put, rows...)
	if p.joins != nil {
		d.joining = p
		return nil
	}

	d.change.Present = append(d.change.Present, entryKey(p.App, p.Pseudonym))
	d.people = append(d.people, p)
	return nil
}

// Append appends records to a stream, as [eventstore.Store] says, and keeps a
// draft: never the records without it.
type Append func(ctx context.Context, d Draft, stream eventstore.Stream, expected eventstore.Revision,
	records ...eventstore.Record) (eventstore.Position, error)

// Appending returns how records are appended to store together with what v keeps
// of them: by one write if the vault's rows lie in the store's database, else the
// draft comes first. Neither is made, and the error is [ErrErased] if somebody
// of the draft has no entry any more, or [ErrTaken] if a new person's lookup
// leads to somebody else by now: then the records are to be made anew.
func (v *Vault) Appending(store eventstore.Store) Append {
	appending := eventstore.Appending(store, v.rows)
	return func(ctx context.Context, d Draft, stream eventstore.Stream, expected eventstore.Revision,
		records ...eventstore.Record) (pos eventstore.Position, err error) {
		err = v.write(ctx, &d, func(c eventstore.Change) error {
			pos, err = appending(ctx, c, stream, expected, records...)
			return err
		})
		return pos, err
	}
}

// Joint returns store as what it is if v's rows lie in its database; else nil.
func (v *Vault) Joint(store eventstore.Store) eventstore.Joint {
	if j, ok := store.(eventstore.Joint); ok && j.Beside(v.rows) {
		return j
	}
	return nil
}

// write makes a draft by do, which makes a change.
func (v *Vault) write(ctx context.Context, d *Draft, do func(eventstore.Change) error) error {
	if d.joining != nil {
		v.wrapping.RLock()
		defer v.wrapping.RUnlock()
	}
	erasures := v.people.erasures.Load()
	c, err := v.enrolling(ctx, d)
	if err != nil {
		return err
	}

	if d.joining != nil {
		err = v.tally.write(c, do)
	} else {
		err = do(c)
	}
	switch {
	case errors.Is(err, eventstore.ErrCondition):
		for _, p := range d.people {
			v.people.forget(p)
		}
		if d.joining != nil {
			if err := v.wrapsNow(ctx); err != nil {
				return err
			}
			return ErrTaken
		}
		return ErrErased
	case err != nil:
		return err
	}
	if p := d.joining; p != nil {
		l := p.joins.lookup
		p.joins = nil
		p.indexed.Store(true)
		v.people.keep(erasures, l, p)
	}
	return nil
}

// enrolling returns the change of d with the rows of whoever is new.
func (v *Vault) enrolling(ctx context.Context, d *Draft) (eventstore.Change, error) {
	c, p := d.change, d.joining
	if p == nil {
		return c, nil
	}

	j, entry := p.joins, entryKey(p.App, p.Pseudonym)
	wrapped, present, err := v.wrap(ctx, j.dataKey, entry)
	if err != nil {
		return c, fmt.Errorf("vault: entry %s: %w", p.Pseudonym, err)
	}

	c.Present = append(slices.Clip(c.Present), present...)
	lookup := lookupKey(p.App, j.mac)
	c.Absent = append(c.Absent, lookup, entry)
	c.Put = append(c.Put, eventstore.Row{Key: lookup, Value: versioned(p.Pseudonym[:])},
		eventstore.Row{Key: entry, Value: versioned(j.mac[:], wrapped)})
	c.Put = append(c.Put, nearRows(p, j.near, j.mac)...)
	return c, nil
}
