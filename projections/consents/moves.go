package consents

import (
	"cmp"
	"context"
	"slices"
	"time"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"
)

// A move is that people came to stand somewhere on a day.
type move struct {
	count
	bound deadline.Instant
	asked deadline.Instant
	over  bool
	whole bool // on any day of a month
	day   deadline.Instant
}

// begin settles what was said on a day before the next begins, so that it counts on its own.
func (b *batch) begin(e *codec.Entry) error {
	day := dayOf(e.Recorded)
	if day != b.day && b.day != 0 {
		b.at = e.Position - 1 // the ledger may know of the entry already
		if err := b.settle(); err != nil {
			return err
		}
		b.at = e.Position
	}
	b.day = day
	return nil
}

// move counts people who come to stand somewhere today, or leave there. Who comes is past their end on
// the day of it, and not before today; who leaves is not past it any more from then on.
func (b *batch) move(c count, r *row, n int64) {
	m := move{count: c, bound: b.bound(c, r), day: b.day}
	if c.status == domain.Given || c.status == domain.Stale {
		m.asked = r.asked
	}
	b.moves[m] += n
	if r.until != 0 {
		m.over, m.day = true, max(b.day, dayOf(r.until))
		b.moves[m] += n
	}
}

// bound returns since when the newest version binds of those that did when an opt-out was said. A version
// that is published later binds later, too.
func (b *batch) bound(c count, r *row) (newest deadline.Instant) {
	if c.status != domain.Refused && c.status != domain.Withdrawn {
		return 0
	}
	for _, v := range b.view.references.at(c.app, b.at).Policies.Versions() {
		if v.Effective <= r.since {
			newest = max(newest, v.Effective)
		}
	}
	return newest
}

// monthOf returns when the month begins that a moment is in, in UTC.
func monthOf(at deadline.Instant) deadline.Instant {
	t := time.UnixMilli(int64(at)).UTC()
	return deadline.At(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC))
}

func (b *batch) writeMoves() error {
	changed := map[move]int64{}
	for m, n := range b.moves {
		if n == 0 {
			continue
		}
		changed[m] += n
		m.whole, m.day = true, monthOf(m.day)
		changed[m] += n
	}

	for m, n := range changed {
		if n == 0 {
			continue
		}
		key := []any{string(m.app), m.whole, int64(m.day), string(m.purpose), m.status.String(), m.terms, int64(m.bound),
			int64(m.asked), m.over}
		if _, err := b.tx.Exec("INSERT INTO moves VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (app, whole, day, "+
			"purpose, status, terms, bound, asked, over) DO UPDATE SET people = moves.people + excluded.people",
			append(key, n)...); err != nil {
			return err
		}
		if _, err := b.tx.Exec("DELETE FROM moves WHERE app = ? AND whole = ? AND day = ? AND purpose = ? AND "+
			"status = ? AND terms = ? AND bound = ? AND asked = ? AND over = ? AND people = 0", key...); err != nil {
			return err
		}
	}
	return nil
}

// eachOn tells how many people of an app stood somewhere with a purpose at the end of a UTC day, as known
// then; until is as in [View.each]. Of an opt-out it says since when the newest version bound that did
// when it was said; of a consent since when the newest version binds that they were asked about.
func (v *View) eachOn(ctx context.Context, app ident.AppName, day deadline.Instant,
	tell func(id policy.PurposeID, st domain.Standing, bound, asked deadline.Instant, n int64, policies domain.Policies),
) (asOf eventstore.Position, err error) {
	day = dayOf(day)
	err = v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		policies := v.references.at(app, position).Policies
		return tx.Each(`SELECT m.purpose, m.status, t.policy, t.version, t.alone, t.rules, m.bound, m.asked,
				sum(CASE WHEN m.over = 0 THEN m.people ELSE -m.people END), sum(CASE WHEN m.over = 0 THEN 0 ELSE m.people END)
			FROM moves m CROSS JOIN terms t ON t.number = m.terms
			WHERE m.app = ? AND (m.whole = 1 AND m.day < ? OR m.whole = 0 AND m.day >= ? AND m.day <= ?)
			GROUP BY 1, 2, 3, 4, 5, 6, 7, 8`, []any{string(app), int64(monthOf(day)), int64(monthOf(day)), int64(day)},
			func(scan func(...any) error) error {
				var id policy.PurposeID
				var st domain.Standing
				var status, version string
				var bound, asked deadline.Instant
				var lasting, over int64
				if err := scan(&id, &status, &st.Policy, &version, &st.Alone, &st.Rules, &bound, &asked,
					&lasting, &over); err != nil {
					return err
				}
				if err := read(&st, status, version); err != nil {
					return err
				}
				if lasting > 0 {
					tell(id, st, bound, asked, lasting, policies)
				}
				if st.Until = 1; over > 0 {
					tell(id, st, bound, asked, over, policies)
				}
				return nil
			})
	})
	return asOf, err
}

// endOf returns the last moment of a UTC day.
func endOf(day deadline.Instant) deadline.Instant { return dayOf(day).Add(deadline.Day) - 1 }

// CountsOn is [View.Counts] at the end of a UTC day, by what was known then.
func (v *View) CountsOn(
	ctx context.Context, app ident.AppName, day deadline.Instant,
) ([]Count, eventstore.Position, error) {
	people := map[Count]int64{} // of nobody
	asOf, err := v.eachOn(ctx, app, day,
		func(id policy.PurposeID, st domain.Standing, _, _ deadline.Instant, n int64, policies domain.Policies) {
			people[Count{Purpose: id, Status: st.By(endOf(day), id, policies)}] += n
		})
	return sorted(people), asOf, err
}

// sorted returns counts in the order of purposes and statuses.
func sorted(people map[Count]int64) []Count {
	counts := make([]Count, 0, len(people))
	for c, n := range people {
		c.People = n
		counts = append(counts, c)
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Status.String(), b.Status.String()))
	})
	return counts
}

// ProgressOn is [View.Progress] at the end of a UTC day, by what was known then. It reads what changed on
// days, and no persons.
func (v *View) ProgressOn(
	ctx context.Context, app ident.AppName, version content.Hash, since, day deadline.Instant,
) (map[policy.PurposeID]Progress, eventstore.Position, error) {
	all := map[policy.PurposeID]Progress{}
	asOf, err := v.eachOn(ctx, app, day,
		func(id policy.PurposeID, st domain.Standing, bound, asked deadline.Instant, n int64, policies domain.Policies) {
			status := st.By(endOf(day), id, policies)
			all[id] = all[id].with(status, st.Version == version, bound >= since,
				asked != 0 && asked >= since, n)
		})
	return all, asOf, err
}
