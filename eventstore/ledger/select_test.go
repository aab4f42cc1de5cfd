package ledger_test

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// A counted store knows the last record that anybody read of it.
type counted struct {
	eventstore.Store
	last eventstore.Position
}

func (c *counted) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range c.Store.ReadAll(ctx, after) {
			c.last = max(c.last, r.Position)
			if !yield(r, err) {
				return
			}
		}
	}
}

// selected returns the positions of a selection.
func selected(t *testing.T, l *ledger.Ledger, s ledger.Selection) []eventstore.Position {
	t.Helper()
	entries, err := l.Select(t.Context(), s)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	var out []eventstore.Position
	for e, err := range entries {
		if err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		out = append(out, e.Position)
	}
	return out
}

// furnish records forty facts of four persons, one every 400 ms, and returns
// their entries.
func furnish(t *testing.T, w *world) (*ledger.Ledger, []codec.Entry) {
	t.Helper()
	l := w.open(t)
	begin(t, l)
	for i := range 40 {
		w.now += 400
		r := requestOf(fmt.Sprint(i), []domain.Command{yes, no}[i%2])
		r.Person.ID = fmt.Sprint("person-", i%4)
		must(t, l, r)
	}
	var all []codec.Entry
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return l, all
}

// Spans that meet share nothing and leave nothing out, for everybody and for
// each person, wherever they meet.
func TestSpansThatMeetAreTheWhole(t *testing.T) {
	w := newWorld()
	l, all := furnish(t, w)
	for _, e := range all {
		for _, at := range []deadline.Instant{e.Recorded - 1, e.Recorded, e.Recorded + 1} {
			for _, who := range []ident.PersonKey{{}, {Kind: "account", ID: "person-2"}} {
				s := ledger.Selection{App: "demo", Person: who}
				whole := selected(t, l, s)
				before, after := s, s
				before.To, after.From = at, at
				parts := append(selected(t, l, before), selected(t, l, after)...)
				if fmt.Sprint(parts) != fmt.Sprint(whole) {
					t.Fatalf("cut at %v, person %q: %v, want %v", at, who.ID, parts, whole)
				}
			}
		}
	}
}

func TestASelectionIsWhatItSays(t *testing.T) {
	w := newWorld()
	l, all := furnish(t, w)
	person := ident.PersonKey{Kind: "account", ID: "person-1"}
	for name, c := range map[string]struct {
		s    ledger.Selection
		want int
	}{
		"everything":                {ledger.Selection{}, 43},
		"an app":                    {ledger.Selection{App: "demo"}, 43},
		"a type":                    {ledger.Selection{Types: []string{"consent.given"}}, 20},
		"a person":                  {ledger.Selection{App: "demo", Person: person}, 10},
		"a person and a type":       {ledger.Selection{App: "demo", Person: person, Types: []string{"consent.given"}}, 0},
		"nobody":                    {ledger.Selection{App: "demo", Person: ident.PersonKey{Kind: "account", ID: "nobody"}}, 0},
		"after a position":          {ledger.Selection{After: all[40].Position}, 2},
		"before the first":          {ledger.Selection{To: all[0].Recorded}, 0},
		"from the first":            {ledger.Selection{From: all[0].Recorded}, 43},
		"ten in the middle":         {ledger.Selection{From: all[10].Recorded, To: all[20].Recorded}, 10},
		"a person in the middle":    {ledger.Selection{App: "demo", Person: person, From: all[10].Recorded, To: all[18].Recorded}, 2},
		"ends before it begins":     {ledger.Selection{From: all[20].Recorded, To: all[10].Recorded}, 0},
		"the position binds too":    {ledger.Selection{After: all[15].Position, From: all[10].Recorded, To: all[20].Recorded}, 4},
		"a time that has not come":  {ledger.Selection{To: all[42].Recorded + 1_000_000}, 43},
		"from a time yet to come":   {ledger.Selection{From: all[42].Recorded + 1_000_000}, 0},
		"a type that nobody writes": {ledger.Selection{Types: []string{"consent.given.v1"}}, 0},
	} {
		if got := selected(t, l, c.s); len(got) != c.want {
			t.Errorf("%s: %d entries, want %d: %v", name, len(got), c.want, got)
		}
	}
	if _, err := l.Select(t.Context(), ledger.Selection{App: "nosuch"}); err == nil {
		t.Error("an app that is not registered has a history")
	}
}

// A span that ends early is not read to the head of the log.
func TestASpanStopsWhereItEnds(t *testing.T) {
	w := newWorld()
	_, all := furnish(t, w)
	c := &counted{Store: w.store}
	w.store = c
	l := w.open(t)
	c.last = 0
	if got := selected(t, l, ledger.Selection{To: all[5].Recorded}); len(got) != 5 {
		t.Errorf("%v", got)
	}
	if c.last > all[6].Position {
		t.Errorf("read as far as %d, the span ends before %d", c.last, all[5].Position)
	}
}

func TestATypeIsARecordsANotesOrASteps(t *testing.T) {
	for name, want := range map[string]bool{
		"consent.given": true, "obligation.overdue": true, "cookies.set": true, "request.rejected": true, "incident.detected": true,
		"": false, "consent.taken": false, "consent.given.v1": false, "request": false,
	} {
		if ledger.IsType(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
}
