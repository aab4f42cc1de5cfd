package consents

import (
	"context"
	"math"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// Spans is a table of what was so from the end of one UTC day until the end of another, as known
// then. A key has one span at most that goes on. What was so for less than a day leaves no span, so
// that the table does not depend on where a batch ends.
type spans struct {
	table  string
	key    []string
	values []string
}

var (
	minorSpans = spans{"minor_days", []string{"number"},
		[]string{"app", "band", "basis", "since", "next", "guardians"}}
	guardedSpans = spans{"guarded_days", []string{"number", "purpose"}, []string{"status", "ends", "terms"}}
)

// goesOn is the day before which a span ends that goes on.
const goesOn = math.MaxInt64

// is writes that the columns have these values.
func is(columns []string) string { return strings.Join(columns, " = ? AND ") + " = ?" }

// set says what is so of a key from a day on; nil: nothing is.
func (s spans) set(tx *readmodel.Tx, day deadline.Instant, key, now []any) error {
	today := int64(day)
	if now != nil {
		var same int64
		if err := tx.Row("SELECT count(*) FROM "+s.table+" WHERE "+is(s.key)+" AND until = ? AND "+is(s.values),
			slices.Concat(key, []any{int64(goesOn)}, now), &same); err != nil || same > 0 {
			return err
		}
	}

	// What began today was never so at the end of a day.
	if _, err := tx.Exec("DELETE FROM "+s.table+" WHERE "+is(s.key)+" AND first = ? AND until = ?",
		slices.Concat(key, []any{today, int64(goesOn)})...); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE "+s.table+" SET until = ? WHERE "+is(s.key)+" AND until = ?",
		slices.Concat([]any{today}, key, []any{int64(goesOn)})...); err != nil || now == nil {
		return err
	}

	// What ended today and is so again never ended.
	again, err := tx.Exec("UPDATE "+s.table+" SET until = ? WHERE "+is(s.key)+" AND until = ? AND "+is(s.values),
		slices.Concat([]any{int64(goesOn)}, key, []any{today}, now)...)
	if err != nil || again > 0 {
		return err
	}
	_, err = tx.Exec("INSERT INTO "+s.table+" ("+strings.Join(slices.Concat(s.key, s.values), ", ")+
		", first, until) VALUES ("+strings.Repeat("?, ", len(key)+len(now))+"?, ?)",
		slices.Concat(key, now, []any{today, int64(goesOn)})...)
	return err
}

// guarded notes where a person stands with a purpose by a guardian's consent, and that they do so no
// more.
func (b *batch) guarded(p *person, r *row, was bool) error {
	if !was && !r.guardian {
		return nil
	}
	var now []any
	if r.guardian {
		now = []any{r.status.String(), int64(r.until), r.terms}
	}
	return guardedSpans.set(b.tx, b.day, []any{p.number, string(r.purpose)}, now)
}

// forget takes somebody whose erasure was ordered out of all days.
func (b *batch) forget(p *person) error {
	_, err := b.tx.Exec("UPDATE minor_days SET erased = 1 WHERE number = ?", p.number)
	return err
}

// bandsOn is [View.Bands] at the end of a UTC day, by what was known then.
func (v *View) bandsOn(
	ctx context.Context, app ident.AppName, day deadline.Instant,
) (counts []BandCount, erased int64, asOf eventstore.Position, err error) {
	err = v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		return tx.Each("SELECT band, erased, count(*) FROM minor_days WHERE app = ? AND first <= ? AND until > ? "+
			"GROUP BY band, erased ORDER BY band, erased",
			[]any{string(app), int64(day), int64(day)}, func(scan func(...any) error) error {
				var band string
				var gone, people int64
				if err := scan(&band, &gone, &people); err != nil {
					return err
				}
				if gone != 0 {
					erased += people
					return nil
				}
				b, err := domain.ParseAgeBand(band)
				counts = append(counts, BandCount{Band: b, People: people})
				return err
			})
	})
	return counts, erased, asOf, err
}

// minorsOn is [View.Minors] at the end of a UTC day, by what was known then.
func (v *View) minorsOn(
	ctx context.Context, app ident.AppName, day deadline.Instant, after MinorCursor, limit int,
) (list []Minor, last MinorCursor, asOf eventstore.Position, err error) {
	last = after
	err = v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		numbers, err := eachMinor(tx, `FROM minor_days m CROSS JOIN people p ON p.number = m.number
			WHERE m.app = ? AND m.first <= ? AND m.until > ? AND m.erased = 0 AND (m.next, m.number) > (?, ?)`,
			[]any{string(app), int64(day), int64(day)}, &list, &last, limit)
		if err != nil {
			return err
		}

		policies := v.references.at(app, position).Policies
		for i, number := range numbers {
			err := tx.Each(`SELECT g.purpose, g.status, g.ends, t.policy, t.version, t.alone, t.rules
				FROM guarded_days g CROSS JOIN terms t ON t.number = g.terms
				WHERE g.number = ? AND g.first <= ? AND g.until > ?`, []any{number, int64(day), int64(day)},
				func(scan func(...any) error) error {
					var id policy.PurposeID
					var st domain.Standing
					var status, version string
					if err := scan(&id, &status, &st.Until, &st.Policy, &version, &st.Alone, &st.Rules); err != nil {
						return err
					}
					if err := read(&st, status, version); err != nil {
						return err
					}
					if st.By(endOf(day), id, policies) == domain.Given {
						list[i].Consents++
					}
					return nil
				})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return list, last, asOf, err
}
