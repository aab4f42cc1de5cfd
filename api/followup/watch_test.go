package followup_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore/ledger"
)

// The clock begins on Saturday 2000-01-01 at 8 in Shanghai.

func until(w *world, text string) {
	w.t.Helper()
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		w.t.Fatal(err)
	}
	time.Sleep(time.Until(t))
	synctest.Wait()
}

func only(duties ...policy.DutyRule) func(*policy.Document) {
	return func(d *policy.Document) { d.Recipients, d.Duties = nil, duties }
}

func TestADeadlineIsAtRiskAndThenOverdueOnce(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		_, stop := w.react()
		w.react()
		w.tell("", promising(only(duty("reply", "consent.withdrawn", policy.DutyReply, "d15"))))
		w.tell("ada", withdrawn("ads"))
		until(w, "2000-01-11T15:59:59Z")
		w.warned()
		// The last day is Sunday the 16th, the third working day before it Wednesday the 12th.
		until(w, "2000-01-16T15:59:59Z")
		atRisk := "obligation.at_risk 2000-01-11 16:00:00"
		w.warned(atRisk)
		stop()
		w.react() // after a restart
		until(w, "2000-01-16T16:00:00Z")
		overdue := "obligation.overdue 2000-01-16 16:00:00"
		w.warned(atRisk, overdue)
		until(w, "2000-03-01T00:00:00Z")
		w.react()
		synctest.Wait()
		w.warned(atRisk, overdue)
		w.tell("ada", noted("withdrawal.confirmed", "channel", "app"))
	})
}

func TestWhatFellDueWhileItWasDownIsSaidOnce(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		_, stop := w.react()
		w.tell("", promising(only(duty("stop", "consent.withdrawn", policy.DutyStop, "h24", "processing.stopped"))))
		w.tell("ada", withdrawn("ads"))
		w.tell("bo", withdrawn("ads"))
		synctest.Wait()
		stop()
		time.Sleep(time.Hour)
		w.tell("bo", noted("processing.stopped", "system", "crm"))
		until(w, "2000-02-01T00:00:00Z")
		w.react()
		w.react()
		synctest.Wait()
		w.expect("stop.h24 met, stop.h24 open")
		w.warned("obligation.at_risk 2000-02-01 00:00:00", "obligation.overdue 2000-02-01 00:00:00")
		once(w)
	})
}

func TestWhatIsOwedToManyByOneDayIsOwedToEach(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		w.react()
		w.tell("", promising(only(duty("reply", "consent.withdrawn", policy.DutyReply, "d15"))))
		const persons = 50
		for i := range persons {
			w.tell(fmt.Sprint("person-", i), withdrawn("ads"))
		}
		until(w, "2000-03-01T00:00:00Z")
		if n := len(warnings(w)); n != 2*persons {
			t.Errorf("%d warnings", n)
		}
		once(w)
	})
}

func TestHoursAreAtRiskAfterThreeQuarters(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		w.tell("", promising(only(duty("stop", "consent.withdrawn", policy.DutyStop, "h24"))))
		until(w, "2000-01-03T00:00:00Z")
		w.tell("ada", withdrawn("ads"))
		until(w, "2000-01-05T00:00:00Z")
		w.warned("obligation.at_risk 2000-01-03 18:00:00", "obligation.overdue 2000-01-04 00:00:00")
	})
}

func TestWhatIsProvisionalIsAtRiskOnItsSafeDate(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		w.tell("", promising(func(d *policy.Document) {
			working := deadline.Rule{ID: "w15", Source: "1", Unit: deadline.UnitWorkingDay, Length: 15, Calendar: "CN", TimeZone: "Asia/Shanghai", ClockStart: "Whatever"}
			d.DeadlineRules = append(d.DeadlineRules, working)
			only(duty("reply", "consent.withdrawn", policy.DutyReply, "w15"))(d)
		}))
		until(w, "2000-01-03T00:00:00Z")
		w.tell("ada", withdrawn("ads"))
		synctest.Wait()
		due := duties(w)[0].Due
		if due.Date.String() != "2000-01-24" || due.SafeTarget.String() != "2000-01-20" {
			t.Fatalf("%+v", due)
		}
		until(w, "2000-02-01T00:00:00Z")
		w.warned("obligation.at_risk 2000-01-19 16:00:00", "obligation.overdue 2000-01-24 16:00:00")
	})
}

func TestWhatIsKeptIsDoneWhenItsDateHasCome(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		w.tell("", promising(only(duty("keep", "assessment.final", policy.DutyKeep, "d30"))))
		w.tell("", noted("assessment.final", "assessment", "a1", "report", content.Hash{1}.String()))
		until(w, "2000-03-01T00:00:00Z")
		w.expect("keep.d30 met")
		w.warned()
	})
}

// asks takes in a request for a copy, and returns its stream.
func asks(w *world) ident.StreamID {
	w.t.Helper()
	d := promising(func(d *policy.Document) {
		d.DeadlineRules[0].Pause, d.DeadlineRules[0].ExtendedLength = []string{"clarification"}, 60
		d.Rights = append(d.Rights, policy.Right{ID: "copy", Title: "Copy", Deadlines: []deadline.RuleID{"d15"}})
		d.Duties = nil
	})
	w.tell("", d)
	req := ledger.Request{App: "demo", Person: ident.PersonKey{Kind: "account", ID: "ada"}, Source: "test", ID: "ask", Body: []byte("x"), Actor: "person", RecordedBy: "test",
		Command: domain.OpenRequest{Types: []request.Type{request.Copy}, Channel: "email"}}
	if _, err := w.Execute(w.t.Context(), req); err != nil {
		w.t.Fatal(err)
	}
	stream, err := w.StreamOf(w.t.Context(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return stream
}

func TestAPausedDeadlineWaitsAndGoesOn(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		_, stop := w.react()
		stream := asks(w)
		until(w, "2000-01-05T00:00:00Z")
		w.on(stream, domain.TakeStep{Kind: "clarification.requested", Fields: policy.Fields(map[string]string{"question": "which"})})
		until(w, "2000-02-04T00:00:00Z")
		w.warned()
		stop()
		w.react()
		synctest.Wait()
		w.on(stream, domain.TakeStep{Kind: "clarification.received"}) // 30 days later
		until(w, "2000-03-01T00:00:00Z")
		w.warned("obligation.at_risk 2000-02-09 16:00:00", "obligation.overdue 2000-02-15 16:00:00")
	})
}

func TestAnExtendedDeadlineIsAtRiskAnew(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		stream := asks(w)
		until(w, "2000-01-13T00:00:00Z")
		atRisk := "obligation.at_risk 2000-01-11 16:00:00"
		w.warned(atRisk)
		w.on(stream, domain.TakeStep{Kind: "request.extended", Fields: policy.Fields(map[string]string{"reason": "many", "notified": "2000-01-13T00:00:00Z"})})
		until(w, "2000-02-26T00:00:00Z") // the last day is 1 March
		w.warned(atRisk, "obligation.at_risk 2000-02-24 16:00:00")
		w.on(stream, domain.TakeStep{Kind: "request.answered", Fields: policy.Fields(map[string]string{"outcome": "full", "channel": "email"})})
		until(w, "2000-04-01T00:00:00Z")
		w.warned(atRisk, "obligation.at_risk 2000-02-24 16:00:00")
	})
}
