package ledger_test

import (
	"iter"
	"slices"
	"testing"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// positions returns where entries stand.
func positions(t *testing.T, log iter.Seq2[codec.Entry, error]) (out []eventstore.Position) {
	t.Helper()
	for e, err := range log {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Position)
	}
	return out
}

func TestAnAppsEntriesAreThoseOfTheWholeLog(t *testing.T) {
	w := newWorld()
	l, all := furnish(t, w)
	app := all[len(all)-1].Stream.App
	of := func(wanted func(codec.Entry) bool) (out []eventstore.Position) {
		for _, e := range all {
			if wanted(e) {
				out = append(out, e.Position)
			}
		}
		return out
	}

	mine := of(func(e codec.Entry) bool { return e.Stream.App == app })
	if got := positions(t, l.Of(t.Context(), app, 0)); len(got) == 0 || !slices.Equal(got, mine) {
		t.Errorf("of the app: %v, want %v", got, mine)
	}
	if got := positions(t, l.Of(t.Context(), app, mine[3])); !slices.Equal(got, mine[4:]) {
		t.Errorf("of the app after %d: %v, want %v", mine[3], got, mine[4:])
	}

	own := of(func(e codec.Entry) bool { return e.Stream.ID == "main" })
	if got := positions(t, l.Own(t.Context(), app)); len(got) == 0 || !slices.Equal(got, own) {
		t.Errorf("of the app as a whole: %v, want %v", got, own)
	}
	for _, other := range []ident.AppName{app[:1], app + "x", "other"} {
		if got := positions(t, l.Of(t.Context(), other, 0)); len(got) != 0 {
			t.Errorf("of the app %q, which is not there: %v", other, got)
		}
	}
}
