package requests_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// viewOf returns a projection that has applied entries.
func viewOf(t testing.TB, entries []codec.Entry) *requests.View {
	t.Helper()
	v, err := requests.Open(t.Context(), projectiontest.Place(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	if err := v.Apply(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	return v
}

func page(t *testing.T, v *requests.View, q requests.Query) []requests.Obligation {
	t.Helper()
	if q.App = projectiontest.App; q.Limit == 0 {
		q.Limit = 1000
	}
	list, _, _, err := v.Page(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// said writes a report as in "d15 open binding, d30 paused".
func said(list []requests.Obligation) string {
	var all []string
	for _, o := range list {
		text := strings.TrimPrefix(o.ID, "reply.") + " " + o.State.String()
		if o.Binding {
			text += " binding"
		}
		if o.Exceeds {
			text += " exceeds"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// begin registers the app and publishes its policy.
func begin(t testing.TB) *projectiontest.Teller {
	t.Helper()
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	return w
}

func TestTheLifeOfAReport(t *testing.T) {
	for _, tt := range []struct {
		name  string
		types []request.Type
		steps []string
		after deadline.Span // how long after the last step it is read
		want  string
	}{
		{"the earliest of each type binds, and a promise beyond the law shows", []request.Type{request.Access}, nil, 0, "law20 open binding, d30 open exceeds"},
		{"each of several types has its own date", []request.Type{request.Access, request.Complaint}, nil, 0, "d15 open binding, law20 open binding, d30 open exceeds, facts15 not-started"},
		{"a clock that stands has no date", []request.Type{request.Access}, []string{"identity.requested elements=IDE-4"}, 0, "law20 open binding, d30 paused"},
		{"three working days before its end it is at risk", []request.Type{request.Access}, nil, 26 * deadline.Day, "law20 at-risk binding, d30 open exceeds"},
		{"at the end of its last day it is overdue", []request.Type{request.Access}, nil, 29 * deadline.Day, "law20 overdue binding, d30 open exceeds"},
		{"an answer in time meets all", []request.Type{request.Access}, []string{"identity.passed elements=IDE-4 checked_by=desk", "request.answered outcome=full channel=app"}, 50 * deadline.Day, "law20 met binding, d30 met exceeds"},
		{"what was answered in part leaves the rest", []request.Type{request.Access, request.Complaint}, []string{"request.answered outcome=full channel=app types=complaint"}, 0,
			"d15 met binding, law20 open binding, d30 open exceeds, facts15 met"},
		{"what was withdrawn is void, and binds nobody", []request.Type{request.Access}, []string{"request.withdrawn"}, 0, "law20 void, d30 void"},
		{"what was opened again binds again", []request.Type{request.Complaint}, []string{"request.answered outcome=full channel=app", "request.reopened reason=not-done"}, 0,
			"d15 met binding, d15.2 open binding, facts15 met, facts15.2 not-started"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := begin(t)
			stream := w.Ask("ada", tt.types...)
			for _, s := range tt.steps {
				w.Step(stream, s)
			}
			got := said(page(t, viewOf(t, w.Entries()), requests.Query{At: w.Time().Add(tt.after)}))
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A clock that stands still says since when, whatever it waits for beside; once it goes on,
// and in the past in which it ran, it says nothing.
func TestAClockThatStandsSaysSinceWhen(t *testing.T) {
	d := projectiontest.Document("one")
	for i := range d.DeadlineRules {
		if d.DeadlineRules[i].ID == "d30" {
			d.DeadlineRules[i].Pause = []string{"identity_verification", "clarification"}
		}
	}
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(d)
	newest := func() eventstore.Position {
		all := w.Entries()
		return all[len(all)-1].Position
	}

	stream := w.Ask("ada", request.Access)
	ran := newest()
	w.Rest(deadline.Day)
	w.Step(stream, "identity.requested elements=IDE-4")
	asked := w.Time()
	w.Rest(deadline.Day)
	w.Step(stream, "clarification.requested question=which-year")
	w.Rest(deadline.Day)
	w.Step(stream, "identity.passed elements=IDE-4 checked_by=desk")
	both := newest()
	w.Rest(deadline.Day)
	w.Step(stream, "clarification.received")

	v := viewOf(t, w.Entries())
	for name, tt := range map[string]struct {
		known requests.Known
		since deadline.Instant
		waits string
	}{
		"before":                 {requests.Known{Past: true, At: ran}, 0, ""},
		"one of two has its end": {requests.Known{Past: true, At: both}, asked, "clarification"},
		"it goes on":             {requests.Known{}, 0, ""},
	} {
		for _, o := range page(t, v, requests.Query{At: w.Time(), Known: tt.known}) {
			if o.ID == "reply.d30" && (o.StandsSince != tt.since || strings.Join(o.Stands, " ") != tt.waits) {
				t.Errorf("%s: since %d for %q, want since %d for %q", name, o.StandsSince, o.Stands, tt.since, tt.waits)
			}
		}
	}
}

func TestAReportSaysWhatFactsHold(t *testing.T) {
	w := begin(t)
	stream := w.Ask("ada", request.Access)
	asked := w.Time()
	w.Step(stream, "identity.requested elements=IDE-4")
	w.Rest(7 * deadline.Day)
	w.Step(stream, "identity.passed elements=IDE-4 checked_by=desk")
	duties, err := w.Duties(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	d30, _ := duties.Find("reply.d30")
	var o requests.Obligation
	for _, x := range page(t, viewOf(t, w.Entries()), requests.Query{At: w.Time()}) {
		if x.ID == "reply.d30" {
			o = x
		}
	}
	if o.Stream != stream.String() || o.Person != w.Pseudonym("ada") || o.Source != "VII" || o.Law || o.Due.Start != asked || o.Version == "" {
		t.Errorf("who and what: %+v", o)
	}
	if o.Due.Date != d30.Due.Date || o.Due.Until != d30.Due.Until || !o.Due.Provisional || o.Due.Safe != d30.Due.SafeTarget {
		t.Errorf("due %+v, the fact holds %+v", o.Due, d30.Due)
	}
	if len(o.Moves) != 2 || o.Moves[0].Why != "paused" || o.Moves[1].Why != "resumed" || o.Moves[0].Was == 0 || o.Moves[1].Is != o.Due.Date || len(o.Events) != 3 {
		t.Errorf("moves %+v, events %v", o.Moves, o.Events)
	}
	// Of a year without a calendar only Saturdays and Sundays are off; 7 days
	// with 5 working days in them went by, and the clock stood still.
	if !o.Counts || o.Left != 30 {
		t.Errorf("%d working days left", o.Left)
	}
}

// Two obligations that differ only in what stays are two sorts, also after the
// file was closed and opened again.
func TestAReportSaysWhoseDataStay(t *testing.T) {
	w := begin(t)
	due, err := deadline.Compute(stop, w.Time(), nil, false, deadline.Calendars{})
	if err != nil {
		t.Fatal(err)
	}
	last := w.Entries()[len(w.Entries())-1].Position
	opened := func(n byte, keeps ...policy.PurposeID) codec.Entry {
		e := codec.Entry{Position: last + eventstore.Position(n), Revision: 1}
		e.ID, e.At, e.Recorded = eventstore.EventID{n}, w.Time(), w.Time()
		e.Stream = ident.StreamID{Noun: ident.ObligationNoun, App: projectiontest.App, ID: fmt.Sprintf("%032x", n)}
		e.Event = domain.ObligationOpened{Obligation: obligation.Obligation{ID: "stop.cn.stop", Kind: policy.DutyStop, Rule: stop, Keeps: keeps}, Due: due}
		return e
	}
	place := projectiontest.Place(t)
	for round := range 2 {
		v, err := requests.Open(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			err = v.Apply(t.Context(), append(w.Entries(), opened(1), opened(2, "tax", "gate"), opened(3, "tax")))
		}
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range page(t, v, requests.Query{At: w.Time()}) {
			got = append(got, strings.Join(o.Keeps, "+"))
		}
		if want := []string{"", "tax+gate", "tax"}; !slices.Equal(got, want) {
			t.Errorf("round %d: whose data stay is %q, want %q", round, got, want)
		}
		v.Close()
	}
}

func TestFiltersAndPagesAndOrders(t *testing.T) {
	w := begin(t)
	for i := range 5 {
		w.Ask(fmt.Sprint("p", i), request.Access, request.Complaint)
		w.Rest(3 * deadline.Day)
	}
	late := w.Ask("late", request.Complaint)
	w.Rest(40 * deadline.Day)
	w.Step(late, "request.answered outcome=full channel=app")
	w.Tell("p4", domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}})
	v := viewOf(t, w.Entries())
	at := w.Time()
	all := page(t, v, requests.Query{At: at})
	if len(all) != 4*4+2 {
		t.Fatalf("%d obligations", len(all))
	}
	person, day := w.Pseudonym("p1"), all[3].Due.Day
	settled := slices.MaxFunc(all, func(a, b requests.Obligation) int { return cmp.Compare(a.Settled, b.Settled) }).Settled
	for name, c := range map[string]struct {
		q    requests.Query
		lets func(requests.Obligation) bool
	}{
		"state": {requests.Query{States: []requests.State{requests.StateOverdue, requests.StateMetLate}}, func(o requests.Obligation) bool {
			return o.State == requests.StateOverdue || o.State == requests.StateMetLate
		}},
		"unsettled": {requests.Query{States: []requests.State{requests.StateNotStarted, requests.StateOpen}}, func(o requests.Obligation) bool {
			return o.State == requests.StateNotStarted || o.State == requests.StateOpen
		}},
		"type":               {requests.Query{Type: "access"}, func(o requests.Obligation) bool { return slices.Contains(o.Types, "access") }},
		"kind":               {requests.Query{Kind: "stop"}, func(requests.Obligation) bool { return false }},
		"rule":               {requests.Query{Rule: "d15"}, func(o requests.Obligation) bool { return o.Rule == "d15" }},
		"person":             {requests.Query{Person: person}, func(o requests.Obligation) bool { return o.Person == person }},
		"provisional":        {requests.Query{Provisional: requests.No}, func(o requests.Obligation) bool { return !o.Due.Provisional }},
		"before":             {requests.Query{Before: day}, func(o requests.Obligation) bool { return o.Due.Day != 0 && o.Due.Day < day }},
		"after":              {requests.Query{After: day}, func(o requests.Obligation) bool { return o.Due.Day > day }},
		"binding":            {requests.Query{Binding: true}, func(o requests.Obligation) bool { return o.Binding }},
		"not settled before": {requests.Query{Since: settled + 1}, func(o requests.Obligation) bool { return o.Settled == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			c.q.At = at
			want := slices.DeleteFunc(slices.Clone(all), func(o requests.Obligation) bool { return !c.lets(o) })
			if got := page(t, v, c.q); said(got) != said(want) || len(got) == len(all) {
				t.Errorf("got  %s\nwant %s", said(got), said(want))
			}
		})
	}
	for _, order := range []requests.Sort{requests.ByDue, requests.ByOpened, requests.ByState} {
		whole := page(t, v, requests.Query{At: at, Sort: order})
		for _, size := range []int{1, 2, 3, 7, 18} {
			var paged []requests.Obligation
			q := requests.Query{App: projectiontest.App, At: at, Sort: order, Limit: size}
			for {
				list, next, _, err := v.Page(t.Context(), q)
				if err != nil || len(list) == 0 || len(list) > size {
					t.Fatalf("%d on a page: %v", len(list), err)
				}
				paged = append(paged, list...)
				if q.From = next; next == (requests.Place{}) {
					break
				}
			}
			if said(paged) != said(whole) || len(whole) != len(all) {
				t.Errorf("by %s, pages of %d: %s\nwant %s", order, size, said(paged), said(whole))
			}
		}
	}
}

// shanghai has the working days of 2026 as if nothing but a Monday were off.
func shanghai(version int, off ...deadline.Date) domain.CalendarPublished {
	return domain.CalendarPublished{Calendar: deadline.Calendar{Jurisdiction: "CN", Year: 2026, Version: version, Off: off, Partial: true}}
}

func TestWorkingDaysLeftGoByTheCalendarsThatWereKnown(t *testing.T) {
	w := begin(t)
	w.Ask("ada", request.Complaint)
	entries := w.Entries()
	due := page(t, viewOf(t, entries), requests.Query{At: w.Time(), Rule: "d15"})[0].Due.Date
	monday := due - deadline.Date((int(due.Weekday())+6)%7)
	last := entries[len(entries)-1]
	published := last
	published.Stream = ident.StreamID{Noun: ident.CalendarNoun, App: projectiontest.App, ID: "main"}
	published.Event, published.Position, published.Recorded = shanghai(1, monday), last.Position+5, last.Recorded+1000
	place := projectiontest.Place(t)
	v, err := requests.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Apply(t.Context(), append(entries, published)); err != nil {
		t.Fatal(err)
	}
	left := func(v *requests.View, k requests.Known) int {
		return page(t, v, requests.Query{At: published.Recorded, Rule: "d15", Known: k})[0].Left
	}
	if before, after := left(v, requests.Known{Past: true, At: last.Position}), left(v, requests.Known{}); before != 15 || after != 14 {
		t.Errorf("%d before the calendar, %d after", before, after)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if v, err = requests.Open(t.Context(), place); err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if got := left(v, requests.Known{}); got != 14 {
		t.Errorf("%d after a restart", got)
	}
}

// What persons asked for by their rights stands before the replies to
// withdrawals, however many those are and however soon they are due.
func TestRequestsStandBeforeWithdrawalsInAGroupOfTheirOwn(t *testing.T) {
	w := begin(t)
	for i := range 20 {
		w.Ask(fmt.Sprint("person-", i), request.Withdraw)
	}
	w.Ask("ada", request.Access)
	v := viewOf(t, w.Entries())
	for _, order := range []requests.Sort{"", requests.ByDue, requests.ByState} {
		list := page(t, v, requests.Query{At: w.Time(), Sort: order})
		lane, n := requests.LaneRequests, 0
		for _, o := range list {
			if o.Lane() < lane {
				t.Fatalf("by %q: %s stands behind the others", order, o.ID)
			}
			if lane = o.Lane(); lane == requests.LaneRequests {
				n++
			}
			if access := slices.Contains(o.Types, "access"); access != (o.Lane() == requests.LaneRequests) {
				t.Errorf("%v is in the group %s", o.Types, o.Lane())
			}
		}
		if n == 0 || n == len(list) {
			t.Errorf("by %q: %d of %d are requests", order, n, len(list))
		}
	}
}
