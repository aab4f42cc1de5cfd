package consents

import (
	"cmp"
	"context"
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
// the order of people's arrival and of purposes, as they were when their last
// fact came; the cursor after the last of them; and the position that the
// answer is as of. A page shorter than limit is the last. A filter reads the
// rows that it leaves out.
func (v *View) List(ctx context.Context, app domain.AppName, f Filter, after Cursor, limit int) ([]Row, Cursor, eventstore.Position, error) {
	// The plus keeps SQLite to the order of numbers.
	query := `SELECT number, person, purpose, status, since, until, policy, version, act, events, updated_position
		FROM consents WHERE +app = ? AND NOT test AND number >= ? AND (number, purpose) > (?, ?)`
	args := []any{string(app), after.Number, after.Number, string(after.Purpose)}
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
		return tx.Each(query+" ORDER BY number, purpose LIMIT ?", append(args, int64(limit)), func(scan func(...any) error) error {
			r, err := scanRow(scan, &after.Number, new(proofV1))
			rows, after.Purpose = append(rows, r), r.Purpose
			return err
		})
	})
	return rows, after, asOf, err
}

// scanRow reads the columns that every list has, and more of the proof p.
func scanRow(scan func(...any) error, number *int64, p *proofV1, more ...any) (Row, error) {
	var r Row
	var status, events string
	err := scan(append([]any{number, &r.Person, &r.Purpose, &status, &p.Since, &p.Until, &p.Policy, &p.Version, &p.Act, &events, &r.Updated}, more...)...)
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

// CountsAt returns how many people of an app stand where with each purpose at the
// moment at, by purpose and status, tests left out, and the position that the
// counts are as of. A yes that ran out or grew stale since the person's last fact
// counts as what it came to. It reads every row of the app.
func (v *View) CountsAt(ctx context.Context, app domain.AppName, at domain.Instant) ([]Count, eventstore.Position, error) {
	people := map[Count]int64{} // of nobody
	var asOf eventstore.Position
	err := v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
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
				st.Until = at
			}
			id := domain.PurposeID(purpose)
			people[Count{Purpose: id, Status: st.By(at, id, policies)}] += n
			return err
		})
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

// GivenBy returns how many people of an app stand at given with a purpose by
// their consent to the policy of that name, as the rows are: see [View.Counts].
// It reads every row of the purpose.
func (v *View) GivenBy(ctx context.Context, app domain.AppName, purpose domain.PurposeID, policy string) (n int64, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, _ eventstore.Position) error {
		return tx.Row("SELECT count(*) FROM consents WHERE app = ? AND NOT test AND purpose = ? AND status = 'given' AND policy = ?",
			[]any{string(app), string(purpose), policy}, &n)
	})
	return n, err
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
