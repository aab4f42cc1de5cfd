package consents

import (
	"context"
	"slices"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// A Row is where a person stands with a purpose.
type Row struct {
	Person  string // the pseudonym
	Purpose domain.PurposeID
	domain.Standing
	Updated  eventstore.Position // the last fact about it; zero: none
	Declared bool                // by a policy in force; [View.Get] only
}

// Get returns where the person stands at the moment at with every purpose
// that a policy in force then declares, and after them with every other that
// the person spoke about; and the position that the answer is as of. Somebody
// who is not known was never asked.
func (v *View) Get(ctx context.Context, app domain.AppName, who string, at domain.Instant) ([]Row, eventstore.Position, error) {
	var rows []Row
	var asOf eventstore.Position
	err := v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		p := &person{rows: map[domain.PurposeID]domain.Status{}}
		if err := load(tx, key{app, who}, p); err != nil {
			return err
		}
		updated, err := updates(tx, app, who)
		if err != nil {
			return err
		}
		policies := v.references.at(app, position)
		ids := declared(policies, at)
		n := len(ids)
		for id := range p.rows {
			if !slices.Contains(ids[:n], id) {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids[n:])
		for i, id := range ids {
			rows = append(rows, Row{who, id, p.subject.Standing(id, at, policies), updated[id], i < n})
		}
		return nil
	})
	return rows, asOf, err
}

func updates(tx *readmodel.Tx, app domain.AppName, who string) (map[domain.PurposeID]eventstore.Position, error) {
	m := map[domain.PurposeID]eventstore.Position{}
	err := tx.Each("SELECT purpose, updated_position FROM consents WHERE app = ? AND person = ?", []any{string(app), who}, func(scan func(...any) error) error {
		var purpose string
		var position int64
		err := scan(&purpose, &position)
		m[domain.PurposeID(purpose)] = eventstore.Position(position)
		return err
	})
	return m, err
}

// A Filter says which rows to list. Empty fields filter nothing.
type Filter struct {
	Purpose domain.PurposeID
	Status  string // as [domain.Status.String] writes it
}

// A Cursor is the last row of a page. The zero Cursor is before the first.
type Cursor struct {
	Person  string
	Purpose domain.PurposeID
}

// List returns the rows of an app after a cursor, at most limit of them, in
// the order of person and purpose, as they were when their last fact came; and
// the position that the answer is as of. A page shorter than limit is the
// last. A filter reads the rows that it leaves out: an index over status would
// halve the speed of Apply.
func (v *View) List(ctx context.Context, app domain.AppName, f Filter, after Cursor, limit int) ([]Row, eventstore.Position, error) {
	query := `SELECT person, purpose, status, since, until, policy, version, act, events, updated_position
		FROM consents WHERE app = ? AND (person, purpose) > (?, ?)`
	args := []any{string(app), after.Person, string(after.Purpose)}
	if f.Purpose != "" {
		query, args = query+" AND purpose = ?", append(args, string(f.Purpose))
	}
	if f.Status != "" {
		query, args = query+" AND status = ?", append(args, f.Status)
	}
	var rows []Row
	var asOf eventstore.Position
	err := v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		return tx.Each(query+" ORDER BY person, purpose LIMIT ?", append(args, int64(limit)), func(scan func(...any) error) error {
			r, err := scanRow(scan)
			rows = append(rows, r)
			return err
		})
	})
	return rows, asOf, err
}

func scanRow(scan func(...any) error) (Row, error) {
	var r Row
	var purpose, status, version, act, events string
	var since, until, updated int64
	err := scan(&r.Person, &purpose, &status, &since, &until, &r.Policy, &version, &act, &events, &updated)
	if err != nil {
		return r, err
	}
	r.Purpose, r.Act = domain.PurposeID(purpose), domain.ActID(act)
	r.Since, r.Until, r.Updated = domain.Instant(since), domain.Instant(until), eventstore.Position(updated)
	if r.Status, err = domain.ParseStatus(status); err != nil {
		return r, err
	}
	if version != "" {
		if r.Version, err = domain.ParseHash(version); err != nil {
			return r, err
		}
	}
	r.Because, err = parseIDs(events)
	return r, err
}

// A Count is how many people's rows have a status.
type Count struct {
	Purpose domain.PurposeID
	Status  domain.Status
	People  int64
}

// Counts returns the counts of an app by purpose and status, as the rows are,
// and the position that they are as of. A yes that ran out or grew stale since
// is counted as given.
func (v *View) Counts(ctx context.Context, app domain.AppName) ([]Count, eventstore.Position, error) {
	var counts []Count
	var asOf eventstore.Position
	err := v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		return tx.Each("SELECT purpose, status, people FROM counts WHERE app = ? ORDER BY purpose, status", []any{string(app)}, func(scan func(...any) error) error {
			var purpose, status string
			var c Count
			err := scan(&purpose, &status, &c.People)
			if err == nil {
				c.Purpose = domain.PurposeID(purpose)
				c.Status, err = domain.ParseStatus(status)
			}
			counts = append(counts, c)
			return err
		})
	})
	return counts, asOf, err
}
