package requests_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// A mark that is voided puts back what it took out, and what was known in
// between is still answered as it was.
func TestAVoidedMarkPutsBackWhatItTookOut(t *testing.T) {
	w := begin(t)
	w.Ask("robot", request.Access)
	mark := w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "load"}})
	again := w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "load"}})
	w.Ask("robot", request.Access)
	last := len(w.Entries())
	void := func(r ledger.Receipt) {
		w.Tell("robot", domain.VoidRecords{Records: []ident.EventID{ident.EventID(r.Event)}, Reason: "mistake", Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}})
	}
	shown := func(known eventstore.Position) (duties, cases int) {
		t.Helper()
		v := viewOf(t, w.Entries())
		list := page(t, v, requests.Query{At: w.Time(), Known: requests.Known{Past: known != 0, At: known}})
		found, _, err := v.Cases(t.Context(), requests.CaseQuery{App: projectiontest.App, Noun: ident.RequestNoun, Known: requests.Known{Past: known != 0, At: known}, Limit: 10})
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

// TestMarksAreTheSameWhateverTheSlices applies the marks of a person one by one,
// so that every one finds what was owed before it in the index.
func TestMarksAreTheSameWhateverTheSlices(t *testing.T) {
	w := begin(t)
	mark := func() ledger.Receipt {
		return w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "load"}})
	}
	void := func(r ledger.Receipt) {
		w.Tell("robot", domain.VoidRecords{Records: []ident.EventID{ident.EventID(r.Event)}, Reason: "mistake", Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}})
	}
	w.Ask("robot", request.Access)
	first := mark()
	w.Ask("robot", request.Complaint)
	w.Ask("ada", request.Complaint)
	void(first)
	w.Ask("robot", request.Access)
	void(mark())
	mark()
	all := w.Entries()
	live := viewOf(t, all[:1])
	for _, e := range all[1:] {
		if err := live.Apply(t.Context(), []codec.Entry{e}); err != nil {
			t.Fatal(err)
		}
	}
	whole := viewOf(t, all)
	for _, e := range all {
		k := requests.Known{Past: true, At: e.Position}
		if got, want := bytesOf(t, live, w.Time(), k), bytesOf(t, whole, w.Time(), k); got != want {
			t.Fatalf("as known at %d: one by one\n%s\nat once\n%s", e.Position, got, want)
		}
	}
}
