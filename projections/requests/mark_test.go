package requests_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// A mark that is voided puts back what it took out, and what was known in
// between is still answered as it was.
func TestAVoidedMarkPutsBackWhatItTookOut(t *testing.T) {
	w := begin(t)
	w.Ask("robot", domain.AskAccess)
	mark := w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "load"}})
	again := w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "load"}})
	w.Ask("robot", domain.AskAccess)
	last := len(w.Entries())
	void := func(r ledger.Receipt) {
		w.Tell("robot", domain.VoidRecords{Records: []domain.EventID{domain.EventID(r.Event)}, Reason: "mistake", Evidence: domain.Hash{9}, By: [2]string{"eve", "bob"}})
	}
	shown := func(known eventstore.Position) (duties, cases int) {
		t.Helper()
		v := viewOf(t, w.Entries())
		list := page(t, v, requests.Query{At: w.Time(), Known: requests.Known{Past: known != 0, At: known}})
		found, _, err := v.Cases(t.Context(), requests.CaseQuery{App: projectiontest.App, Noun: domain.RequestNoun, Known: requests.Known{Past: known != 0, At: known}, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return len(list), len(found)
	}
	if duties, cases := shown(0); duties != 0 || cases != 0 {
		t.Errorf("of a test: %d obligations, %d requests", duties, cases)
	}
	void(mark)
	if duties, cases := shown(0); duties != 0 || cases != 0 {
		t.Errorf("of one mark of two: %d obligations, %d requests", duties, cases)
	}
	void(again)
	if duties, cases := shown(0); duties == 0 || cases != 2 {
		t.Errorf("of who is no test after all: %d obligations, %d requests", duties, cases)
	}
	if duties, cases := shown(w.Entries()[last-1].Position); duties != 0 || cases != 0 {
		t.Errorf("known while it was marked: %d obligations, %d requests", duties, cases)
	}
}
