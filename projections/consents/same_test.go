package consents_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
)

// Rows say what the ledger says of whoever an opt-out reaches through others, in
// whatever order it was said and linked, and however the log was cut into batches.
func TestAnOptOutReachesRowsThroughOthers(t *testing.T) {
	link := func(w *projectiontest.Teller, a, b string) {
		w.TellOf(a, b, domain.Say{Event: domain.SubjectLinked{Proof: "login"}})
	}
	steps := []func(w *projectiontest.Teller){
		func(w *projectiontest.Teller) { w.Tell("a", domain.WithdrawConsent{Scope: policy.Scope{All: true}}) },
		func(w *projectiontest.Teller) { link(w, "a", "b") },
		func(w *projectiontest.Teller) { link(w, "c", "b") },
	}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		w := projectiontest.NewTeller(t)
		w.Register()
		w.Publish(projectiontest.Document("one"))
		for _, who := range []string{"b", "c", "d"} {
			w.Tell(who, domain.GiveConsent{Act: "click"})
		}
		for _, i := range order {
			steps[i](w)
		}
		w.TellOf("c", "b", domain.Say{Event: domain.SubjectUnlinked{Reason: "logout"}})
		whole, single := open(t, w), open(t, w)
		if err := whole.Apply(t.Context(), w.Entries()); err != nil {
			t.Fatal(err)
		}
		for i := range w.Entries() {
			if err := single.Apply(t.Context(), w.Entries()[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		for name, v := range map[string]*consents.View{"one batch": whole, "a batch for each": single} {
			sameAsTheLedger(t, w, v, name)
		}
	}
}

func sameAsTheLedger(t *testing.T, w *projectiontest.Teller, v *consents.View, name string) {
	t.Helper()
	want := map[string]domain.Status{"a": domain.Withdrawn, "b": domain.Withdrawn, "c": domain.Withdrawn, "d": domain.Given}
	for who, status := range want {
		state, err := w.State(t.Context(), app, ident.PersonKey{Kind: "account", ID: who}, ledger.AsOf{})
		if err != nil {
			t.Fatal(err)
		}
		rows := of(t, w, v, who, w.Time())
		for _, r := range rows {
			if known := state.Subject.Standing(r.Purpose, w.Time(), state.Reference).Status; r.Status != status || known != status {
				t.Errorf("%s: %s %s: %v, the ledger says %v, want %v", name, who, r.Purpose, r.Status, known, status)
			}
		}
		if len(rows) != 2 {
			t.Errorf("%s: %s has %d rows, want two", name, who, len(rows))
		}
	}
}

// Whoever is erased wanted out: that reaches who is the same person, here as in
// the ledger. The end of an account does not.
func TestTheEndOfOneHistoryIsToOthersWhatTheLedgerSays(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(w *projectiontest.Teller)
		want domain.Status
	}{
		"erased": {func(w *projectiontest.Teller) {
			_, err := w.Erase(t.Context(), ledger.Request{App: app, Person: ident.PersonKey{Kind: "account", ID: "b"}, Source: "test", ID: "erase", Actor: "operator", RecordedBy: "desk",
				Command: domain.OrderErasure{Reason: "request", By: [2]string{"eve", "bob"}}})
			if err != nil {
				t.Fatal(err)
			}
		}, domain.Withdrawn},
		"closed": {func(w *projectiontest.Teller) {
			w.Tell("b", domain.Say{Event: domain.SubjectClosed{Reason: "deleted"}})
		}, domain.Given},
	} {
		w := projectiontest.NewTeller(t)
		w.Register()
		w.Publish(projectiontest.Document("one"))
		w.Tell("a", domain.GiveConsent{Act: "click"})
		w.TellOf("a", "b", domain.Say{Event: domain.SubjectLinked{Proof: "login"}})
		tt.end(w)
		v := open(t, w)
		if err := v.Apply(t.Context(), w.Entries()); err != nil {
			t.Fatal(err)
		}
		state, err := w.State(t.Context(), app, ident.PersonKey{Kind: "account", ID: "a"}, ledger.AsOf{})
		if err != nil {
			t.Fatal(err)
		}
		rows := of(t, w, v, "a", w.Time().Add(deadline.Second))
		if len(rows) == 0 {
			t.Fatal("no rows")
		}
		for _, r := range rows {
			if known := state.Subject.Standing(r.Purpose, w.Time().Add(deadline.Second), state.Reference).Status; r.Status != known || known != tt.want {
				t.Errorf("%s: %s: %v, the ledger says %v, want %v", name, r.Purpose, r.Status, known, tt.want)
			}
		}
	}
}
