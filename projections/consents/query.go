package consents

import (
	"cmp"
	"context"
	"slices"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

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
// counts are as of. A consent that ran out or grew stale since the person's last fact
// counts as what it came to.
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
//
// It reads the counts, and those of the rows that are past their end: their people
// are taken out of what they were counted under.
func (v *View) each(ctx context.Context, app domain.AppName, at, binds domain.Instant, tell func(c Count, policy string)) (asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		policies := v.references.at(app, position).Policies
		return tx.Each(`WITH over AS MATERIALIZED (
				SELECT s.purpose, s.status, s.terms, count(*) AS people FROM standings s CROSS JOIN people p ON p.number = s.number
				WHERE s.until <> 0 AND s.until <= ? AND p.app = ? AND NOT p.test GROUP BY 1, 2, 3
			)
			SELECT c.purpose, c.status, t.policy, t.version, t.alone, t.rules, c.people - coalesce(o.people, 0), coalesce(o.people, 0)
			FROM counts c CROSS JOIN terms t ON t.number = c.terms LEFT JOIN over o ON o.purpose = c.purpose AND o.status = c.status AND o.terms = c.terms
			WHERE c.app = ?`, []any{int64(at), string(app), string(app)}, func(scan func(...any) error) error {
			var id domain.PurposeID
			var st domain.Standing
			var status, version string
			var lasting, over int64
			if err := scan(&id, &status, &st.Policy, &version, &st.Alone, &st.Rules, &lasting, &over); err != nil {
				return err
			}
			if err := read(&st, status, version); err != nil {
				return err
			}
			if lasting > 0 {
				tell(Count{id, st.By(binds, id, policies), lasting}, st.Policy)
			}
			if st.Until = binds; over > 0 {
				tell(Count{id, st.By(binds, id, policies), over}, st.Policy)
			}
			return nil
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

// read reads a status, and the version that was agreed to, if one was.
func read(st *domain.Standing, status, version string) (err error) {
	if st.Status, err = domain.ParseStatus(status); err == nil && version != "" {
		st.Version, err = domain.ParseHash(version)
	}
	return err
}
