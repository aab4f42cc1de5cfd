package consents_test

import (
	"fmt"
	"testing"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
)

// A forgetful ledger remembers nobody, as one does of whom it heard long ago.
type forgetful struct{ *ledger.Ledger }

func (forgetful) Remembers(ident.StreamID, eventstore.Position) bool { return false }

// grow tells of 50 people in turns, and applies what was told each time.
func grow(t *testing.T, persons func(*projectiontest.Teller) consents.Persons, rounds int, look func(*consents.View)) {
	t.Helper()
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	view := open(t, persons(w))
	view.SetMemory(200_000)
	applied := 0
	for range rounds {
		for i := range 50 {
			w.Tell(fmt.Sprint(i), domain.GiveConsent{Act: "click"})
		}
		all := w.Entries()
		if err := view.Apply(t.Context(), all[applied:]); err != nil {
			t.Fatal(err)
		}
		applied = len(all)
		look(view)
	}
}

func TestNoFoldIsKeptThatTheLedgerRemembers(t *testing.T) {
	grow(t, func(w *projectiontest.Teller) consents.Persons { return w }, 3, func(v *consents.View) {
		if people, folds, _ := v.Kept(); people != 50 || folds != 0 {
			t.Errorf("%d people are in memory, want 50, and %d folds, want none", people, folds)
		}
	})
}

func TestPeopleInMemoryAreBoundedAsTheirHistoriesGrow(t *testing.T) {
	kept := 0
	grow(t, func(w *projectiontest.Teller) consents.Persons { return forgetful{w.Ledger} }, 20, func(v *consents.View) {
		people, folds, bytes := v.Kept()
		if kept = people; folds != people || bytes > 200_000 {
			t.Errorf("%d people and %d folds take %d bytes, want at most 200,000", people, folds, bytes)
		}
	})
	if kept == 0 || kept == 50 {
		t.Errorf("%d people are in memory, want some of 50", kept)
	}
}
