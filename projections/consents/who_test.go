package consents

import (
	"strings"
	"testing"

	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// Who spoke of a purpose is found by it, in the order of arrival, and nothing is sorted: few are not
// looked for among all persons of the app or of others.
func TestWhoSpokeOfAPurposeIsFoundByIt(t *testing.T) {
	v, err := Open(t.Context(), readmodel.Dir(t.TempDir()), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()

	query, args := rowsQuery(ofPurpose, []any{"shop", "ads"}, "shop", Cursor{}, 10)
	var plan strings.Builder
	err = v.db.View(t.Context(), func(tx *readmodel.Tx, _ eventstore.Position) error {
		return tx.Each("EXPLAIN QUERY PLAN "+query, args, func(scan func(...any) error) error {
			var id, parent, unused int
			var detail string
			err := scan(&id, &parent, &unused, &detail)
			plan.WriteString(detail + "\n")
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	text := plan.String()
	if !strings.Contains(text, "USING INDEX standings_purpose (app=? AND purpose=? AND number>?)") ||
		strings.Contains(text, "TEMP B-TREE") {
		t.Error(text)
	}
}
