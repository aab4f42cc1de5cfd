package requests_test

import (
	"fmt"
	"reflect"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"

	"github.com/go-json-experiment/json"
)

// A whole is all that a report says.
type whole struct {
	List []requests.Obligation
	Sum  requests.Summary
	AsOf eventstore.Position
}

func bytesOf(t *testing.T, v *requests.View, at deadline.Instant, k requests.Known) string {
	t.Helper()
	var r whole
	var err error
	r.List, _, r.Sum, r.AsOf, err = v.Report(t.Context(), requests.Query{App: projectiontest.App, At: at, Known: k, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var out string
	for _, o := range r.List {
		text, err := json.Marshal(&o, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprint(o.Stream, " ", o.ID, " ", o.State, " ", o.Left, " ", string(text), "\n")
	}
	text, err := json.Marshal(&r.Sum, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return out + string(text) + fmt.Sprint(" as of ", r.AsOf)
}

// TestAReportOfThePastIsWhatWasAnsweredThen asks after every single entry, and
// again when all is known: by position, and by the ledger's word for a time.
func TestAReportOfThePastIsWhatWasAnsweredThen(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	all := w.Entries()
	v, err := requests.Open(t.Context(), projectiontest.Place(t))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	then := map[eventstore.Position]string{}
	for i, e := range all {
		if err := v.Apply(t.Context(), all[i:i+1]); err != nil {
			t.Fatal(err)
		}
		then[e.Position] = bytesOf(t, v, e.Recorded, requests.Known{})
	}
	distinct := map[string]bool{}
	for i, e := range all {
		known, err := w.KnownAt(t.Context(), e.Recorded)
		if err != nil {
			t.Fatal(err)
		}
		if last := i == len(all)-1 || all[i+1].Recorded > e.Recorded; last != (known == e.Position) {
			t.Errorf("entry %d: known at %s is %d", e.Position, e.Recorded, known)
		}
		got := bytesOf(t, v, e.Recorded, requests.Known{Past: true, At: e.Position})
		if got != then[e.Position] {
			t.Fatalf("as known at %d:\n%s\nwas then:\n%s", e.Position, got, then[e.Position])
		}
		distinct[got] = true
	}
	if len(distinct) != len(all) {
		t.Errorf("%d reports of %d positions", len(distinct), len(all))
	}
}

func TestReplayFromNothingGivesTheSameReport(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	live, err := requests.Open(t.Context(), projectiontest.Place(t))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	for _, e := range w.Entries() {
		if err := live.Apply(t.Context(), []codec.Entry{e}); err != nil {
			t.Fatal(err)
		}
	}
	for _, after := range []deadline.Span{0, 10 * deadline.Day, 100 * deadline.Day} {
		at := w.Time().Add(after)
		want := bytesOf(t, live, at, requests.Known{})
		if got := bytesOf(t, viewOf(t, w.Entries()), at, requests.Known{}); got != want {
			t.Errorf("%d later: replayed\n%s\nlive\n%s", after, got, want)
		}
	}
}

// TestAnotherRuleChangesNothingThatWas publishes a policy that promises less
// and more, and looks at every fact and every line of before.
func TestAnotherRuleChangesNothingThatWas(t *testing.T) {
	w := begin(t)
	open := w.Ask("ada", request.Access, request.Complaint)
	done := w.Ask("ben", request.Complaint)
	w.Step(done, "request.answered outcome=full channel=app")
	at, facts := w.Time(), w.Entries()
	before := page(t, viewOf(t, facts), requests.Query{At: at})
	said := bytesOf(t, viewOf(t, facts), at, requests.Known{})

	d := projectiontest.Document("two")
	for i := range d.DeadlineRules {
		d.DeadlineRules[i].Length *= 2
		d.DeadlineRules[i].Source = "VII, amended"
	}
	version, err := policydoc.Hash(d)
	if err != nil {
		t.Fatal(err)
	}
	w.Tell("", domain.PublishPolicy{Version: version, Document: d, Material: []string{policy.MaterialService, "MAT-4"}})
	after := w.Ask("cleo", request.Complaint)
	w.Step(open, "facts.verified founded=yes") // the old request goes on by the old rule

	now := w.Entries()
	if !reflect.DeepEqual(now[:len(facts)], facts) {
		t.Error("a fact was changed")
	}
	v := viewOf(t, now)
	for _, was := range before {
		for _, is := range page(t, v, requests.Query{At: w.Time()}) {
			if is.Stream == was.Stream && is.ID == was.ID && is.ID != "reply.facts15" && (is.Source != was.Source || !reflect.DeepEqual(is.Due, was.Due) || is.Binding != was.Binding || len(is.Moves) > 0) {
				t.Errorf("%s of %s is %+v, was %+v", is.ID, is.Stream, is, was)
			}
		}
	}
	if got := bytesOf(t, v, at, requests.Known{Past: true, At: facts[len(facts)-1].Position}); got != said {
		t.Errorf("the report of then is\n%s\nwas\n%s", got, said)
	}
	for _, o := range page(t, v, requests.Query{At: w.Time(), Type: "complaint"}) {
		started, amended := o.Due.Phase == deadline.Running, o.Source == "VII, amended"
		if (o.Stream == after.String()) != amended {
			t.Errorf("%s of %s goes by %s", o.ID, o.Stream, o.Source)
		}
		if want := map[bool]int{false: 15, true: 30}[amended]; started && o.State == requests.StateOpen && o.Left != want {
			t.Errorf("%s of %s has %d working days left, want %d", o.ID, o.Stream, o.Left, want)
		}
	}
}

// TestBetterCodeChangesNoPastFact reads facts that another program decided, which
// counted a day more, and was wrong: the report says what was promised then, and
// what was late by it.
func TestBetterCodeChangesNoPastFact(t *testing.T) {
	w := begin(t)
	stream := w.Ask("ada", request.Complaint)
	w.Step(stream, "facts.verified founded=yes")
	all := w.Entries()
	var was deadline.Due
	for i, e := range all {
		if x, ok := e.Event.(domain.ObligationOpened); ok && x.Obligation.ID == "reply.d15" {
			was = x.Due
			x.Due.Date, x.Due.Until = was.Date+1, was.Until.Add(deadline.Day)
			all[i].Event = x
		}
	}
	seen := false
	for at, want := range map[deadline.Instant]requests.State{was.Until: requests.StateAtRisk, was.Until.Add(deadline.Day): requests.StateOverdue} {
		for _, o := range page(t, viewOf(t, all), requests.Query{At: at}) {
			if o.ID == "reply.d15" {
				seen = true
				if o.Due.Date != was.Date+1 || o.State != want {
					t.Errorf("at %s it is %s and due %s, want %s and %s", at, o.State, o.Due.Date, want, was.Date+1)
				}
			}
		}
	}
	if !seen {
		t.Error("reply.d15 is not in the report")
	}
}
