package requests_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// TestIncidentsAreFoundByTheirStates closes one, dismisses one, opens one again and leaves two open,
// and asks for those of several states, as they stand now and stood before.
func TestIncidentsAreFoundByTheirStates(t *testing.T) {
	w := begin(t)
	names, streams := map[string]string{}, []ident.StreamID{}
	for n := range 5 {
		w.Tell("", domain.TakeStep{Kind: "incident.suspected", Fields: policy.Fields(map[string]string{"kind": "leak", "what": "a table"})})
		entries := w.Entries()
		streams = append(streams, entries[len(entries)-1].Stream)
		names[streams[n].ID] = fmt.Sprint(n)
	}
	for _, n := range []int{0, 3} {
		w.Step(streams[n], "incident.detected kind=leak what=table")
	}
	w.Step(streams[0], "incident.contained measures=off")
	w.Step(streams[0], "incident.closed summary=done reportable=no")
	w.Step(streams[1], "incident.dismissed reason=nothing")
	w.Step(streams[2], "incident.dismissed reason=nothing")
	before := w.Entries()[len(w.Entries())-1]
	w.Step(streams[2], "incident.reopened reason=more")
	w.Step(streams[3], "incident.contained measures=off")
	w.Step(streams[0], "incident.authority-told authority=office") // late
	v := viewOf(t, w.Entries())

	open, over := []string{"suspected", "detected", "contained"}, []string{"closed", "dismissed"}
	for _, tt := range []struct {
		name   string
		states []string
		known  eventstore.Position
		limit  int
		want   string
	}{
		{"any", nil, 0, 10, "0 closed, 1 dismissed, 2 suspected, 3 contained, 4 suspected"},
		{"open", open, 0, 10, "2 suspected, 3 contained, 4 suspected"},
		{"open, as many as are wanted", open, 0, 2, "2 suspected, 3 contained"},
		{"over", over, 0, 10, "0 closed, 1 dismissed"},
		{"one state", []string{"closed"}, 0, 10, "0 closed"},
		{"open before", open, before.Position, 10, "3 detected, 4 suspected"},
		{"over before", over, before.Position, 10, "0 closed, 1 dismissed, 2 dismissed"},
	} {
		var got []string
		q := requests.CaseQuery{App: projectiontest.App, Noun: ident.IncidentNoun, States: tt.states, Limit: tt.limit}
		if tt.known != 0 {
			q.Known = requests.Known{Past: true, At: tt.known}
		}
		list, _, err := v.Cases(t.Context(), q)
		for _, c := range list {
			got = append(got, names[c.ID]+" "+c.State)
			if over := c.State == "closed" || c.State == "dismissed"; over != (c.Closed != 0) || c.Closed > before.Recorded {
				t.Errorf("%s: %s is closed at %d", tt.name, c.State, c.Closed)
			}
		}
		if text := strings.Join(got, ", "); err != nil || text != tt.want {
			t.Errorf("%s: %s, want %s: %v", tt.name, text, tt.want, err)
		}

		// The list goes on after any of its rows.
		for i, c := range list {
			q.After = c.Begun
			rest, _, err := v.Cases(t.Context(), q)
			if err != nil || tt.limit > len(list) && len(rest) != len(list)-i-1 {
				t.Errorf("%s: %d come after %d of %d: %v", tt.name, len(rest), i+1, len(list), err)
			}
		}
	}
}

// A request as it was known at a moment is what was shown then, with every step and every date: what is
// recorded a millisecond later, and that who asks is marked as a test, change nothing of it.
func TestACaseOfThenIsWhatWasShownThen(t *testing.T) {
	w := begin(t)
	stream := w.Ask("ada", request.Access, request.Complaint)
	w.Step(stream, "identity.requested elements=IDE-4")
	then, early := w.Time(), w.Entries()
	v := viewOf(t, early)
	type shown struct {
		Case   requests.Case
		Steps  []requests.Step
		Duties []requests.Obligation
		Found  bool
		AsOf   eventstore.Position
	}
	show := func(k requests.Known) string {
		t.Helper()
		var s shown
		var err error
		if s.Case, s.Steps, s.Duties, s.Found, s.AsOf, err = v.Case(t.Context(), stream, k, then); err != nil {
			t.Fatal(err)
		}
		if k.Past && (!s.Found || len(s.Steps) != 1 || len(s.Duties) == 0) {
			t.Errorf("then there were %+v", s)
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	was := show(requests.Known{})

	w.Rest(1 - deadline.Second)
	w.Step(stream, "identity.passed elements=IDE-4 checked_by=desk")
	w.Step(stream, "request.answered outcome=full channel=app")
	last := w.Tell("ada", domain.Say{Event: domain.SubjectMarkedTest{Reason: "load"}})
	if err := v.Apply(t.Context(), w.Entries()[len(early):]); err != nil {
		t.Fatal(err)
	}

	until, err := w.KnownAt(t.Context(), then)
	if err != nil || until >= last.Position {
		t.Fatal(until, err)
	}
	if is := show(requests.Known{Past: true, At: until}); is != was {
		t.Errorf("then it was\n%s\nand is\n%s", was, is)
	}
	if now := show(requests.Known{}); now == was {
		t.Error("nothing happened since")
	}
}
