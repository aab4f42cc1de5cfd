package requests

import (
	"strings"
	"testing"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// What stands in some states is read in its order by the index of states, and nothing is sorted.
func TestCasesOfStatesAreReadByTheirIndex(t *testing.T) {
	v, err := Open(t.Context(), readmodel.Dir(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()

	q := CaseQuery{App: "shop", Noun: ident.IncidentNoun, States: []string{"suspected", "detected", "contained"}, Limit: 10}
	text := planOf(t, v, q)
	if strings.Count(text, "USING INDEX cases_state (app=? AND noun=? AND state=? AND begun>?)") != 3 || strings.Contains(text, "TEMP B-TREE") {
		t.Error(text)
	}

	// Of one person it is not read what others asked.
	q = CaseQuery{App: "shop", Noun: ident.RequestNoun, Person: "aa", Type: "access", Since: 1, Limit: 10}
	text = planOf(t, v, q)
	if !strings.Contains(text, "USING INDEX cases_person (app=? AND person=? AND noun=? AND begun>?)") || strings.Contains(text, "TEMP B-TREE") {
		t.Error(text)
	}
}

// planOf returns how a query is answered.
func planOf(t *testing.T, v *View, q CaseQuery) string {
	t.Helper()
	query, args := q.sql(7, true)
	var plan []string
	err := v.db.View(t.Context(), func(tx *readmodel.Tx, _ eventstore.Position) error {
		return tx.Each("EXPLAIN QUERY PLAN "+query, args, func(scan func(...any) error) error {
			var id, parent, unused int
			var detail string
			err := scan(&id, &parent, &unused, &detail)
			plan = append(plan, detail)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}
