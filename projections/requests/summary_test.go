package requests_test

import (
	"fmt"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/request"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// TestTheSummaryAddsUp tells of requests that took 0, 0 (from a Friday to a
// Saturday), 5 and 21 working days, of one that is overdue and of some that are
// open; and of fees and rejections.
func TestTheSummaryAddsUp(t *testing.T) {
	w := begin(t)
	replied := func(person string, days deadline.Span, step string) {
		stream := w.Ask(person, request.Complaint)
		w.Rest(days * deadline.Day)
		w.Step(stream, step)
	}
	replied("p0", 0, "request.answered outcome=full channel=app")
	replied("p1", 1, "request.rejected codes=REJ-1 remedies_told=yes approved_by=boss")
	replied("p5", 7, "request.answered outcome=part channel=app")
	replied("p21", 30, "request.rejected codes=REJ-1 remedies_told=yes approved_by=boss")
	w.Ask("late", request.Complaint)
	w.Rest(30 * deadline.Day)
	w.Ask("new", request.Complaint)
	again := w.Ask("new", request.Complaint)
	w.Step(again, "fee.quoted amount=10.10_CNY reason=often")
	w.Step(again, "fee.waived reason=kind")
	third := w.Ask("new", request.Complaint)
	w.Step(third, "fee.quoted amount=0.20_CNY reason=often")
	w.Step(third, "fee.paid amount=0.20_CNY")
	robot := w.Ask("robot", request.Complaint)
	w.Step(robot, "request.rejected codes=REJ-1 remedies_told=yes approved_by=boss")
	w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "load"}})

	v := viewOf(t, w.Entries())
	for name, known := range map[string]requests.Known{"now": {}, "as known at the end": {Past: true, At: w.Entries()[len(w.Entries())-1].Position}} {
		t.Run(name, func(t *testing.T) {
			at := w.Time()
			s, _, err := v.Summary(t.Context(), requests.Query{App: projectiontest.App, At: at, Known: known, Rule: "d15"})
			if err != nil {
				t.Fatal(err)
			}
			// Three in time of five that were met or are overdue.
			want := requests.Tally{Obligations: 8, Met: 3, Late: 1, Overdue: 1, OnTime: "60.0", Replies: 4, Median: "2.5"}
			if s.Total != want {
				t.Errorf("total %+v, want %+v", s.Total, want)
			}
			if got := fmt.Sprint(s.States); got != "[{overdue 1} {open 3} {met-late 1} {met 3}]" {
				t.Errorf("states %s", got)
			}
			if got := fmt.Sprint(s.Grounds, s.Fees); got != "[{REJ-1 2}] [{CNY 10.30 CNY 0.20 CNY 10.10 CNY}]" {
				t.Errorf("grounds and fees %s", got)
			}
			if s.Tests != 2 {
				t.Errorf("%d of tests, want the two of the robot", s.Tests)
			}
			n := int64(0)
			for _, g := range s.Groups {
				n += g.Obligations
				if g.Type != "complaint" {
					t.Errorf("a group of %q", g.Type)
				}
			}
			if n != 8 || len(s.Groups) < 3 || s.Groups[0].Month != "2026-05" || s.Groups[0].Median != "0" {
				t.Errorf("groups %+v", s.Groups)
			}
		})
	}
}

func TestRequestsAndIncidentsAreShownWithTheirSteps(t *testing.T) {
	w := begin(t)
	stream := w.Ask("ada", request.Access, request.Complaint)
	early := w.Entries()
	w.Step(stream, "request.acknowledged channel=email")
	w.Step(stream, "identity.passed elements=IDE-4 checked_by=desk")
	w.Step(stream, "request.answered outcome=full channel=app types=access")
	w.Step(stream, "request.answered outcome=full channel=app")
	i := w.Incident()
	w.Step(i, "incident.contained measures=off")
	robot := w.Ask("robot", request.Complaint)
	w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "load"}})
	v := viewOf(t, w.Entries())

	c, steps, duties, ok, _, err := v.Case(t.Context(), stream, requests.Known{}, w.Time())
	if err != nil || !ok || c.State != "answered" || c.Closed == 0 || len(c.Done) != 2 || c.Person != w.Pseudonym("ada") || len(steps) != 4 || len(duties) != 4 {
		t.Errorf("%+v, %d steps, %d obligations, %v, %v", c, len(steps), len(duties), ok, err)
	}
	c, steps, _, ok, _, err = v.Case(t.Context(), stream, requests.Known{Past: true, At: early[len(early)-1].Position}, w.Time())
	if err != nil || !ok || c.State != "open" || len(steps) != 0 {
		t.Errorf("then: %+v, %d steps, %v, %v", c, len(steps), ok, err)
	}
	c, steps, _, ok, _, err = v.Case(t.Context(), i, requests.Known{}, w.Time())
	if err != nil || !ok || c.State != "contained" || len(steps) != 2 {
		t.Errorf("incident: %+v, %d steps, %v, %v", c, len(steps), ok, err)
	}
	list, _, err := v.Cases(t.Context(), requests.CaseQuery{App: projectiontest.App, Noun: ident.RequestNoun, Limit: 10})
	if err != nil || len(list) != 1 || list[0].ID != stream.ID {
		t.Errorf("%+v, %v", list, err)
	}
	if _, _, _, ok, _, err = v.Case(t.Context(), robot, requests.Known{}, w.Time()); !ok || err != nil {
		t.Errorf("the robot's request: %v, %v", ok, err)
	}
	if _, _, _, ok, _, err = v.Case(t.Context(), ident.StreamID{Noun: ident.RequestNoun, App: "other", ID: stream.ID}, requests.Known{}, w.Time()); ok || err != nil {
		t.Errorf("another app sees it: %v, %v", ok, err)
	}
}
