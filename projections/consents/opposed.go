package consents

import (
	"cmp"
	"context"
	"slices"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// An OpposedCount is how many people's own word about a purpose a machine's
// signal is at odds with, by where they stand; see [domain.Opposition].
type OpposedCount struct {
	Count
	Signal domain.ActID
}

// OpposedCounts returns them by purpose, status at the moment at, and signal,
// tests left out, and the position that the counts are as of. Somebody whom two
// signals oppose is counted with the newer. It reads every row of the app.
func (v *View) OpposedCounts(ctx context.Context, app domain.AppName, at domain.Instant) ([]OpposedCount, eventstore.Position, error) {
	people := map[OpposedCount]int64{} // of nobody
	var asOf eventstore.Position
	err := v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		policies := v.references.at(app, position).Policies
		return eachOpposed(tx, app, Cursor{}, -1, func(r Row, _ int64) {
			st := r.By(at, r.Purpose, policies)
			people[OpposedCount{Count{Purpose: r.Purpose, Status: st}, r.Opposed.Signal}]++
		})
	})
	counts := make([]OpposedCount, 0, len(people))
	for c, n := range people {
		c.People = n
		counts = append(counts, c)
	}
	slices.SortFunc(counts, func(a, b OpposedCount) int {
		return cmp.Or(cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Status.String(), b.Status.String()), cmp.Compare(a.Signal, b.Signal))
	})
	return counts, asOf, err
}

// Opposed returns a page of the rows that [View.OpposedCounts] counts, as
// [View.List] returns its own, each with its status at the moment at.
func (v *View) Opposed(ctx context.Context, app domain.AppName, at domain.Instant, after Cursor, limit int) ([]Row, Cursor, eventstore.Position, error) {
	var rows []Row
	var asOf eventstore.Position
	err := v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
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
func eachOpposed(tx *readmodel.Tx, app domain.AppName, after Cursor, limit int, do func(r Row, number int64)) error {
	return tx.Each(`SELECT number, person, purpose, status, since, until, policy, version, act, alone, rules, events, updated_position, opposed_by, opposed_event
		FROM consents WHERE +app = ? AND NOT test AND opposed_by IS NOT NULL AND number >= ? AND (number, purpose) > (?, ?)
		ORDER BY number, purpose LIMIT ?`,
		[]any{string(app), after.Number, after.Number, string(after.Purpose), int64(limit)}, func(scan func(...any) error) error {
			var number int64
			p := proofV1{Opposed: new(opposedV1)}
			r, err := scanRow(scan, &number, &p, &p.Opposed.Signal, &p.Opposed.Event)
			if err == nil {
				do(r, number)
			}
			return err
		})
}
