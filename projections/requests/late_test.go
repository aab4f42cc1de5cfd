package requests_test

import (
	"fmt"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// checked logs the answer to "may we?" about now.
func checked(w *projectiontest.Teller, t *testing.T, person string, purpose policy.PurposeID, allowed bool) {
	t.Helper()
	w.Rest(deadline.Minute)
	id := fmt.Sprint("check ", person, purpose, w.Time())
	r := ledger.Request{App: projectiontest.App, Person: ident.PersonKey{Kind: "account", ID: person}, Source: "test", ID: id, Body: []byte(id), Actor: "system", RecordedBy: "test"}
	if err := w.LogCheck(t.Context(), r, domain.CheckAnswered{Purpose: purpose, Action: policy.Use, Valid: w.Time(), Allowed: allowed, Status: domain.Given}); err != nil {
		t.Fatal(err)
	}
}

// withdrew records a withdrawal that happened at a moment.
func withdrew(w *projectiontest.Teller, t *testing.T, person string, at deadline.Instant, purposes ...policy.PurposeID) {
	t.Helper()
	w.Rest(deadline.Minute)
	r := ledger.Request{App: projectiontest.App, Person: ident.PersonKey{Kind: "account", ID: person}, Source: "late", ID: person, Body: []byte("x"), At: at, Actor: "person", RecordedBy: "test",
		Command: domain.WithdrawConsent{Scope: policy.Scope{All: len(purposes) == 0, Purposes: purposes}}}
	if _, err := w.Execute(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func TestEveryYesBetweenTheTwoTimesOfALateWithdrawalIsFound(t *testing.T) {
	w := begin(t)
	for _, person := range []string{"ada", "bo", "robot"} {
		w.Tell(person, domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"location"}})
	}
	checked(w, t, "ada", "location", true) // before she said no
	said := w.Time() + 1
	checked(w, t, "ada", "location", true)
	checked(w, t, "ada", "marketing", true)
	checked(w, t, "ada", "location", false)
	checked(w, t, "bo", "location", true)
	checked(w, t, "robot", "location", true)
	w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "load"}})
	before := w.Entries()[len(w.Entries())-1].Position
	withdrew(w, t, "ada", said, "location")
	withdrew(w, t, "robot", said)
	withdrew(w, t, "bo", w.Time()+deadline.Instant(deadline.Minute)) // which is when it is recorded
	checked(w, t, "ada", "location", true)                           // whatever it says, it came after the ledger knew
	v := viewOf(t, w.Entries())
	q := requests.Query{App: projectiontest.App, At: w.Time()}
	list, err := lateAnswers(t, v, q)
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	y := list[0]
	var check, no eventstore.EventID
	for _, e := range w.Entries() {
		if _, is := e.Event.(domain.CheckAnswered); is && e.Recorded == y.Answered {
			check = e.ID
		}
		if _, is := e.Event.(domain.ConsentWithdrawn); is && e.At == said && e.Stream.ID == w.Pseudonym("ada") {
			no = e.ID
		}
	}
	if y.Person != w.Pseudonym("ada") || y.Purpose != "location" || y.Withdrawn != said || y.Recorded <= y.Answered || y.Valid < said || y.Check != check.String() || y.Withdrawal != no.String() {
		t.Errorf("%+v", y)
	}
	for name, q := range map[string]requests.Query{
		"of somebody else":               {App: projectiontest.App, At: w.Time(), Person: w.Pseudonym("bo")},
		"as known before the withdrawal": {App: projectiontest.App, At: w.Time(), Known: requests.Known{Past: true, At: before}},
		"of another app":                 {App: "other", At: w.Time()},
	} {
		if list, err := lateAnswers(t, v, q); err != nil || len(list) != 0 {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
	}
}

func lateAnswers(t *testing.T, v *requests.View, q requests.Query) (list []requests.LateAnswer, err error) {
	_, err = v.EachLateAnswer(t.Context(), q, func(y requests.LateAnswer) error {
		list = append(list, y)
		return nil
	})
	return list, err
}

func TestTheReportSaysAtRiskWhenTheWatcherDoes(t *testing.T) {
	w := begin(t)
	o := ident.StreamID{Noun: ident.ObligationNoun, App: projectiontest.App, ID: "many"}
	rule := func(id deadline.RuleID, unit deadline.Unit, n int) deadline.Rule {
		r := deadline.Rule{ID: id, Source: "1", Unit: unit, Length: n, TimeZone: "Asia/Shanghai"}
		if unit == deadline.UnitWorkingDay {
			r.Calendar = "CN"
		}
		return r
	}
	rules := []deadline.Rule{rule("h24", deadline.UnitHour, 24), rule("h1", deadline.UnitHour, 1), rule("w15", deadline.UnitWorkingDay, 15), rule("w2", deadline.UnitWorkingDay, 2), rule("d30", deadline.UnitCalendarDay, 30), rule("m6", deadline.UnitMonth, 6)}
	w.TellOn(o, domain.OpenDuties{Cause: obligation.Cause{Event: ident.EventID{1}}, Rule: policy.DutyRule{ID: "stop", Kind: policy.DutyStop}, Start: w.Time(), Rules: rules})
	w.TellOn(ident.StreamID{Noun: ident.ObligationNoun, App: projectiontest.App, ID: "kept"}, domain.OpenDuties{Cause: obligation.Cause{Event: ident.EventID{2}}, Rule: policy.DutyRule{ID: "keep", Kind: policy.DutyKeep}, Start: w.Time(), Rules: rules[:1]})
	v := viewOf(t, w.Entries())
	n := 0
	for _, e := range w.Entries() {
		x, ok := e.Event.(domain.ObligationOpened)
		if !ok {
			continue
		}
		n++
		risk := x.Due.RiskAt(deadline.Calendars{})
		over := x.Due.Until
		if x.Due.Unit == deadline.UnitHour {
			over++
		}
		for at, want := range map[deadline.Instant]requests.State{risk - 1: requests.StateOpen, risk: requests.StateAtRisk, over - 1: requests.StateAtRisk, over: requests.StateOverdue} {
			if at < w.Time() {
				continue
			}
			if x.Obligation.Kind == policy.DutyKeep {
				want = requests.StateOpen
			}
			list := page(t, v, requests.Query{At: at, Stream: e.Stream.String(), ID: x.Obligation.ID})
			if len(list) != 1 || list[0].State != want {
				t.Errorf("%s at %s: %+v, want %s", x.Obligation.ID, at, list, want)
			}
		}
	}
	if n != len(rules)+1 {
		t.Errorf("%d obligations", n)
	}
}

func TestWhatAHoldStopsIsHeldAndNotOverdue(t *testing.T) {
	w := begin(t)
	o := ident.StreamID{Noun: ident.ObligationNoun, App: projectiontest.App, ID: "one"}
	w.TellOn(o, domain.OpenDuties{Cause: obligation.Cause{Event: ident.EventID{1}}, Rule: policy.DutyRule{ID: "delete", Kind: policy.DutyDelete}, Start: w.Time(),
		Rules: []deadline.Rule{{ID: "d30", Source: "1", Unit: deadline.UnitCalendarDay, Length: 30, TimeZone: "Asia/Shanghai"}}})
	w.Rest(10 * deadline.Day)
	w.TellOn(o, domain.HoldObligation{ID: "delete.d30"})
	w.Rest(400 * deadline.Day)
	v := viewOf(t, w.Entries())
	if got := said(page(t, v, requests.Query{At: w.Time(), Stream: o.String()})); got != "delete.d30 held" {
		t.Errorf("under the hold: %s", got)
	}
	w.TellOn(o, domain.HoldObligation{ID: "delete.d30", Released: true})
	w.Rest(deadline.Day)
	v = viewOf(t, w.Entries())
	list := page(t, v, requests.Query{At: w.Time(), Stream: o.String()})
	if got := said(list); got != "delete.d30 open binding" || len(list[0].Moves) != 2 {
		t.Errorf("after it: %s, %+v", got, list)
	}
	if got := said(page(t, v, requests.Query{At: w.Time() + 21*deadline.Instant(deadline.Day), Stream: o.String()})); got != "delete.d30 overdue binding" {
		t.Errorf("and three weeks later: %s", got)
	}
}
