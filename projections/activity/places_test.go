package activity_test

import (
	"fmt"
	"iter"
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/projections/activity"
	"consentledger/projections/projectiontest"
)

// What is read by the index of types is what the whole log holds of them, however far the index is.
func TestAReplayByTheIndexIsTheReplayOfTheLog(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	for i, kind := range []domain.AccessKind{domain.AccessReplay, domain.AccessExport, domain.AccessReplay} {
		if _, err := w.Access(t.Context(), ledger.Access{
			App: projectiontest.App, ID: fmt.Sprint("access", i), Actor: string(ident.Operator), RecordedBy: "desk",
			DataAccessed: domain.DataAccessed{Kind: kind, Reason: "audit", Records: 1},
		}); err != nil {
			t.Fatal(err)
		}
	}
	all := w.Entries()
	types := map[string]bool{"obligation.opened": true, "subject.closed": true}
	for _, e := range all {
		types[e.Kind()] = true
	}

	for _, upTo := range []int{0, len(all) / 2, len(all)} {
		v, err := activity.Open(t.Context(), projectiontest.Place(t))
		if err != nil {
			t.Fatal(err)
		}
		for list := range slices.Chunk(all[:upTo], 100) {
			if err := v.Apply(t.Context(), list); err != nil {
				t.Fatal(err)
			}
		}
		for _, last := range []int{1, 7, 1000} {
			same(t, w, v, ledger.Selection{App: projectiontest.App, Last: last, Replays: true})
		}
		for kind := range types {
			for _, s := range []ledger.Selection{
				{}, {Last: 1}, {Last: 3}, {After: all[len(all)/3].Position}, {Until: all[len(all)/3].Position},
				{After: all[3].Position, Until: all[len(all)-3].Position, Last: 2},
			} {
				s.App, s.Type = projectiontest.App, kind
				same(t, w, v, s)
			}
		}
		for _, kind := range []domain.AccessKind{domain.AccessReplay, domain.AccessExport, domain.AccessReceipt} {
			same(t, w, v, ledger.Selection{App: projectiontest.App, Type: "data.accessed", Access: kind})
			same(t, w, v, ledger.Selection{App: projectiontest.App, Type: "data.accessed", Access: kind, Last: 1})
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// same compares what a selection finds by the index and without it.
func same(t *testing.T, w *projectiontest.Teller, index ledger.Index, s ledger.Selection) {
	t.Helper()
	read := func(entries iter.Seq2[codec.Entry, error], err error) (at []eventstore.Position) {
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range entries {
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, e.Position)
		}
		return at
	}
	want := read(w.Select(t.Context(), s))
	if got := read(w.SelectBy(t.Context(), s, index)); !slices.Equal(got, want) {
		t.Errorf("%+v: by the index %v, by the log %v", s, got, want)
	}
	if s.Last > 0 && len(want) > s.Last {
		t.Errorf("%+v: %d entries", s, len(want))
	}
}
