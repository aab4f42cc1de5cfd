package activity_test

import (
	"fmt"
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore"
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
				s.App, s.Types = projectiontest.App, []string{kind}
				same(t, w, v, s)
			}
		}
		for _, kind := range []domain.AccessKind{domain.AccessReplay, domain.AccessExport, domain.AccessReceipt} {
			same(t, w, v, ledger.Selection{App: projectiontest.App, Types: []string{"data.accessed"}, Access: []domain.AccessKind{kind}})
			same(t, w, v, ledger.Selection{App: projectiontest.App, Types: []string{"data.accessed"}, Access: []domain.AccessKind{kind}, Last: 1})
		}
		for _, last := range []int{0, 1, 3, 1000} {
			several := ledger.Selection{App: projectiontest.App, Last: last,
				Types:  []string{"consent.given", "data.accessed", "obligation.opened", "subject.closed"},
				Access: []domain.AccessKind{domain.AccessReplay, domain.AccessReceipt}}
			same(t, w, v, several)
			eachOf(t, w, several)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// eachOf compares what a selection of several types finds with what is found of each.
func eachOf(t *testing.T, w *projectiontest.Teller, s ledger.Selection) {
	t.Helper()
	var want []eventstore.Position
	for _, kind := range s.Types {
		one := s
		one.Types, one.Access = []string{kind}, nil
		if kind != "data.accessed" {
			want = append(want, positions(t, w, nil, one)...)
			continue
		}
		for _, access := range s.Access {
			one.Access = []domain.AccessKind{access}
			want = append(want, positions(t, w, nil, one)...)
		}
	}
	slices.Sort(want)
	if got := positions(t, w, nil, s); !slices.Equal(got, slices.Compact(want)) || len(got) == 0 {
		t.Errorf("%+v: %v, of each %v", s, got, want)
	}
}

// same compares what a selection finds by the index and without it.
func same(t *testing.T, w *projectiontest.Teller, index ledger.Index, s ledger.Selection) {
	t.Helper()
	want := positions(t, w, nil, s)
	if got := positions(t, w, index, s); !slices.Equal(got, want) {
		t.Errorf("%+v: by the index %v, by the log %v", s, got, want)
	}
	if names := max(1, len(s.Types)+max(0, len(s.Access)-1)); s.Last > 0 && len(want) > s.Last*names {
		t.Errorf("%+v: %d entries", s, len(want))
	}
}

// positions returns where what a selection finds lies, by an index if there is one.
func positions(
	t *testing.T, w *projectiontest.Teller, index ledger.Index, s ledger.Selection,
) (at []eventstore.Position) {
	t.Helper()
	entries, err := w.SelectBy(t.Context(), s, index)
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
