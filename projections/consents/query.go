package consents

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"

	"github.com/go-json-experiment/json"
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
		p, subject, err := loadWhole(tx, key{app, who})
		if err != nil {
			return err
		}
		ref := v.references.at(app, position)
		ids := ref.Policies.Declared(at)
		n := len(ids)
		for _, id := range p.purposes() {
			if !slices.Contains(ids[:n], id) {
				ids = append(ids, id)
			}
		}
		for i, id := range ids {
			r := Row{Person: who, Purpose: id, Standing: subject.Standing(id, at, ref), Declared: i < n}
			if place, spoken := p.find(id); spoken {
				r.Updated = p.rows[place].position
			}
			rows = append(rows, r)
		}
		return nil
	})
	return rows, asOf, err
}

// loadWhole reads a person from the file, and what crosses from other histories
// of the same person.
func loadWhole(tx *readmodel.Tx, k key) (*person, domain.Subject, error) {
	p := newPerson(k)
	if err := p.load(tx, nil); err != nil {
		return nil, domain.Subject{}, err
	}
	s, err := p.subject.Whole(k.person, func(other string) (domain.Subject, error) {
		o := newPerson(key{k.app, other})
		err := o.load(tx, nil)
		return o.subject, err
	})
	return p, s, err
}

// A Filter says which rows to list. Empty fields filter nothing.
type Filter struct {
	Purpose domain.PurposeID
	Status  string // as [domain.Status.String] writes it
}

// A Cursor is the last row of a page. The zero Cursor is before the first.
type Cursor struct {
	Number  int64 // of the person, in the order of arrival
	Purpose domain.PurposeID
}

// List returns the rows of an app after a cursor, at most limit of them, in
// the order of people's arrival and of purposes, as they stand at the moment at;
// the cursor after the last of them; and the position that the answer is as of. A
// page shorter than limit is the last. A filter reads the rows that it leaves out.
func (v *View) List(ctx context.Context, app domain.AppName, f Filter, at domain.Instant, after Cursor, limit int) ([]Row, Cursor, eventstore.Position, error) {
	// The plus keeps SQLite to the order of numbers.
	query := `SELECT number, person, purpose, status, since, until, policy, version, act, alone, rules, events, updated_position
		FROM consents WHERE +app = ? AND NOT test AND number >= ? AND (number, purpose) > (?, ?)`
	args := []any{string(app), after.Number, after.Number, string(after.Purpose)}
	if f.Purpose != "" {
		query, args = query+" AND purpose = ?", append(args, string(f.Purpose))
	}
	var rows []Row
	var asOf eventstore.Position
	err := v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		policies := v.references.at(app, position).Policies
		err := tx.Each(query+" ORDER BY number, purpose", args, func(scan func(...any) error) error {
			if len(rows) == limit {
				return errFull
			}
			number := after.Number
			r, err := scanRow(scan, &number, new(proofV1))
			if err != nil {
				return err
			}
			if r.Status = r.By(at, r.Purpose, policies); f.Status == "" || r.Status.String() == f.Status {
				rows, after = append(rows, r), Cursor{number, r.Purpose}
			}
			return nil
		})
		if errors.Is(err, errFull) {
			return nil
		}
		return err
	})
	return rows, after, asOf, err
}

// errFull ends the reading of a page that is full.
var errFull = errors.New("the page is full")

// scanRow reads the columns that every list has, and more of the proof p.
func scanRow(scan func(...any) error, number *int64, p *proofV1, more ...any) (Row, error) {
	var r Row
	var status, events string
	err := scan(append([]any{number, &r.Person, &r.Purpose, &status, &p.Since, &p.Until, &p.Policy, &p.Version, &p.Act, &p.Alone, &p.Rules, &events, &r.Updated}, more...)...)
	if err == nil {
		err = json.Unmarshal([]byte(events), &p.Events)
	}
	if err == nil {
		r.Standing, err = p.standing(status)
	}
	return r, err
}

// A Count is how many people's rows have a status.
type Count struct {
	Purpose domain.PurposeID
	Status  domain.Status
	People  int64
}

// Tests returns how many of an app's people are none but tests, whom counts
// and lists leave out, and the position that the answer is as of.
func (v *View) Tests(ctx context.Context, app domain.AppName) (n int64, asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		return tx.Row("SELECT count(*) FROM people WHERE app = ? AND test", []any{string(app)}, &n)
	})
	return n, asOf, err
}

// Counts returns how many people of an app stand where with each purpose at the
// moment at, by purpose and status, tests left out, and the position that the
// counts are as of. A yes that ran out or grew stale since the person's last fact
// counts as what it came to. It reads every row of the app.
func (v *View) Counts(ctx context.Context, app domain.AppName, at domain.Instant) ([]Count, eventstore.Position, error) {
	people := map[Count]int64{} // of nobody
	asOf, err := v.each(ctx, app, at, at, func(c Count, _ string) {
		n := c.People
		c.People = 0
		people[c] += n
	})
	counts := make([]Count, 0, len(people))
	for c, n := range people {
		c.People = n
		counts = append(counts, c)
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Status.String(), b.Status.String()))
	})
	return counts, asOf, err
}

// A Holding asks for the consents to a purpose that hold at a moment.
type Holding struct {
	Purpose domain.PurposeID
	Policy  string         // only those by the policy of that name; empty: by any
	At      domain.Instant // what ran out by then does not hold
	Before  domain.Instant // nor what a version made stale that binds before; zero: by At
}

// Holding returns how many people of an app have such a consent, and the position
// that the answer is as of. It reads as [View.Counts] does.
func (v *View) Holding(ctx context.Context, app domain.AppName, h Holding) (n int64, asOf eventstore.Position, err error) {
	binds := h.At
	if h.Before != 0 {
		binds = min(binds, h.Before-1)
	}
	asOf, err = v.each(ctx, app, h.At, binds, func(c Count, policy string) {
		if c.Purpose == h.Purpose && c.Status == domain.Given && (h.Policy == "" || policy == h.Policy) {
			n += c.People
		}
	})
	return n, asOf, err
}

// each tells how many people of an app stand somewhere with a purpose at the
// moment at, by a consent to which policy. Of versions those count that bind by the
// moment binds, which is not later. It may tell one status several times.
func (v *View) each(ctx context.Context, app domain.AppName, at, binds domain.Instant, tell func(c Count, policy string)) (asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		policies := v.references.at(app, position).Policies
		return tx.Each(`SELECT purpose, status, policy, version, alone, rules, until != 0 AND until <= ? AS over, count(*)
			FROM consents WHERE app = ? AND NOT test GROUP BY 1, 2, 3, 4, 5, 6, 7`, []any{int64(at), string(app)}, func(scan func(...any) error) error {
			var purpose, status string
			var p proofV1
			var over bool
			var n int64
			if err := scan(&purpose, &status, &p.Policy, &p.Version, &p.Alone, &p.Rules, &over, &n); err != nil {
				return err
			}
			st, err := p.standing(status)
			if over {
				st.Until = binds
			}
			id := domain.PurposeID(purpose)
			tell(Count{id, st.By(binds, id, policies), n}, p.Policy)
			return err
		})
	})
	return asOf, err
}

// A VoidedCount is how many answers of a kind were mistakes.
type VoidedCount struct {
	Status  domain.Status // given, refused or withdrawn
	Answers int64
}

// Voided returns how many answers of an app's people were voided, alone or with
// their build, tests left out, and the position that the counts are as of.
func (v *View) Voided(ctx context.Context, app domain.AppName) (counts []VoidedCount, asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		return tx.Each("SELECT status, answers FROM voided WHERE app = ? ORDER BY status", []any{string(app)}, func(scan func(...any) error) error {
			var status string
			var c VoidedCount
			err := scan(&status, &c.Answers)
			if err == nil {
				c.Status, err = domain.ParseStatus(status)
			}
			counts = append(counts, c)
			return err
		})
	})
	return counts, asOf, err
}
