package consents

import (
	"context"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// Rows returns the rows of an app as they stand at a moment, in the order of people's
// arrival and of purposes.
func (v *View) Rows(ctx context.Context, app ident.AppName, at deadline.Instant) (rows []Row, err error) {
	err = v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		policies := v.references.at(app, position).Policies
		return eachRow(tx, "TRUE", nil, app, Cursor{}, -1, func(r Row, _ int64) {
			r.Status = r.By(at, r.Purpose, policies)
			rows = append(rows, r)
		})
	})
	return rows, err
}

// SetMemory bounds the people kept in memory.
func (v *View) SetMemory(bytes int) { v.people.Each = bytes / 2 }

// Kept returns how many people are in memory, how many of them with their fold, and
// what they take as the bound counts it.
func (v *View) Kept() (people, folds, bytes int) {
	v.people.DeleteFunc(func(_ key, p *person) bool {
		people, bytes = people+1, bytes+p.weight
		if p.folded {
			folds++
		}
		return false
	})
	return people, folds, bytes
}
