package consents

import (
	"cmp"
	"context"
	"math"
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// A Row is where a person stands with a purpose.
type Row struct {
	Person  string // the pseudonym
	Purpose policy.PurposeID
	domain.Standing
	Updated eventstore.Position // the last fact about it
}

// A Cursor is the last row of a page. The zero Cursor is before the first.
type Cursor struct {
	Number  int64 // of the person, in the order of arrival
	Purpose policy.PurposeID
}

// An OpposedCount is how many people's own word about a purpose a machine's
// signal is at odds with, by where they stand; see [domain.Opposition].
type OpposedCount struct {
	Count
	Signal policy.ActID
}

// OpposedCounts returns them by purpose, status at the moment at, and signal,
// tests left out, and the position that the counts are as of. Somebody whom two
// signals oppose is counted with the newer.
func (v *View) OpposedCounts(
	ctx context.Context, app ident.AppName, at deadline.Instant,
) ([]OpposedCount, eventstore.Position, error) {
	people := map[OpposedCount]int64{} // of nobody
	asOf, err := v.each(ctx, app, Now(at), func(s share, policies domain.Policies) {
		if s.signal != "" {
			status := s.By(at, s.purpose, policies)
			people[OpposedCount{Count{Purpose: s.purpose, Status: status}, s.signal}] += s.people
		}
	})

	counts := make([]OpposedCount, 0, len(people))
	for c, n := range people {
		c.People = n
		counts = append(counts, c)
	}
	slices.SortFunc(counts, func(a, b OpposedCount) int {
		return cmp.Or(a.compare(b.Count), cmp.Compare(a.Signal, b.Signal))
	})
	return counts, asOf, err
}

// Opposed returns a page of the rows that [View.OpposedCounts] counts, in
// the order of people's arrival and of purposes, each with its status at the moment
// at; the cursor after the last of them; and the position that the answer is as of. A
// page shorter than limit is the last.
func (v *View) Opposed(
	ctx context.Context, app ident.AppName, at deadline.Instant, after Cursor, limit int,
) ([]Row, Cursor, eventstore.Position, error) {
	var rows []Row
	var asOf eventstore.Position
	err := v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		policies := v.references.at(app, position).Policies
		return eachOpposed(tx, app, after, limit, func(r Row, number int64) {
			r.Status = r.By(at, r.Purpose, policies)
			rows, after = append(rows, r), Cursor{number, r.Purpose}
		})
	})
	return rows, after, asOf, err
}

// eachOpposed calls do for the rows after a cursor that a signal is at odds with,
// at most limit of them; below zero all.
func eachOpposed(tx *readmodel.Tx, app ident.AppName, after Cursor, limit int, do func(r Row, number int64)) error {
	return eachRow(tx, "s.opposed_by IS NOT NULL", nil, app, after, limit, do)
}

// eachRow calls do for the rows of an app that are as is said, tests left out. Is has
// the values of where.
func eachRow(
	tx *readmodel.Tx, where string, is []any, app ident.AppName, after Cursor, limit int, do func(r Row, number int64),
) error {
	query, args := rowsQuery(where, is, app, after, limit)
	return tx.Each(query, args, func(scan func(...any) error) error {
		var r Row
		var number int64
		var status, version, events, opposedBy string
		err := scan(&number, &r.Person, &r.Purpose, &status, &r.Since, &r.Until, &r.Policy, &version, &r.Act,
			&r.Alone, &r.Rules,
			&events, &r.Opposed.Signal, &opposedBy, &r.Updated)
		if err != nil {
			return err
		}
		if err := read(&r.Standing, status, version); err != nil {
			return err
		}
		for ; len(events) >= 16; events = events[16:] {
			r.Because = append(r.Because, ident.EventID([]byte(events[:16])))
		}
		if opposedBy != "" {
			r.Opposed.Because = ident.EventID([]byte(opposedBy))
		}
		do(r, number)
		return nil
	})
}

// rowsQuery returns the query of [eachRow], and its arguments.
func rowsQuery(where string, is []any, app ident.AppName, after Cursor, limit int) (query string, args []any) {
	if limit < 0 {
		limit = math.MaxInt
	}
	return `SELECT s.number, p.person, s.purpose, s.status, s.since, s.until, t.policy, t.version, t.act, t.alone, t.rules,
			s.events, coalesce(s.opposed_by, ''), coalesce(s.opposed_by_event, ''), s.updated_position
		FROM standings s CROSS JOIN people p ON p.number = s.number CROSS JOIN terms t ON t.number = s.terms
		WHERE ` + where + ` AND p.app = ? AND p.test = 0 AND s.number >= ? AND (s.number, s.purpose) > (?, ?)
		ORDER BY s.number, s.purpose LIMIT ?`,
		slices.Concat(is, []any{string(app), after.Number, after.Number, string(after.Purpose), int64(limit)})
}
