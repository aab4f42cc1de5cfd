package consents

import (
	"context"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// ofPurpose lets through the rows of an app about a purpose.
const ofPurpose = "s.app = ? AND s.purpose = ?"

// Who returns a page of the people of an app who ever said anything about a purpose,
// in the order of their arrival, each with their status at the moment at, tests left
// out; the cursor after the last of them; and the position that the answer is as of. A
// page shorter than limit is the last.
func (v *View) Who(
	ctx context.Context, app ident.AppName, purpose policy.PurposeID, at deadline.Instant, after Cursor, limit int,
) ([]Row, Cursor, eventstore.Position, error) {
	var rows []Row
	var asOf eventstore.Position
	err := v.view(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		policies := v.references.at(app, position).Policies
		return eachRow(tx, ofPurpose, []any{string(app), string(purpose)}, app, after, limit, func(r Row, number int64) {
			r.Status = r.By(at, r.Purpose, policies)
			rows, after = append(rows, r), Cursor{number, r.Purpose}
		})
	})
	return rows, after, asOf, err
}
