package followup_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
)

// invented is no notice of anybody's: three days off in January 2027, of which
// one is made up for, so that nine in ten due dates stay as they were.
func invented(version int, off ...int) domain.PublishCalendar {
	k := deadline.Calendar{Jurisdiction: "NZ", Year: 2027, Version: version, Notice: "invented", Issued: deadline.NewDate(2026, time.November, 3)}
	for _, day := range off {
		k.Off = append(k.Off, deadline.NewDate(2027, time.January, day))
	}
	return domain.PublishCalendar{Calendar: k}
}

func year2026() domain.PublishCalendar {
	return domain.PublishCalendar{Calendar: deadline.Calendar{Jurisdiction: "NZ", Year: 2026, Version: 1, Notice: "invented too", Issued: deadline.NewDate(2025, time.November, 3), Off: []deadline.Date{deadline.NewDate(2026, time.January, 1)}}}
}

// working promises n working days for a reply.
func working(n int) domain.PublishPolicy {
	return promising(func(d *policy.Document) {
		d.DeadlineRules = append(d.DeadlineRules, deadline.Rule{ID: "w", Source: "1", Unit: deadline.UnitWorkingDay, Length: n, Calendar: "NZ", TimeZone: "Asia/Shanghai", ClockStart: "Whatever"})
		only(duty("reply", "consent.withdrawn", policy.DutyReply, "w", "withdrawal.confirmed"))(d)
	})
}

// moves writes every move by a calendar, as in "2027-01-12? > 2027-01-14": a
// question mark is for what is provisional.
func moves(w *world) string {
	var all []string
	for _, e := range facts[domain.ObligationMoved](w) {
		x := e.Event.(domain.ObligationMoved)
		if x.Why == obligation.MovedCalendar {
			all = append(all, shown(x.Was)+" > "+shown(x.Due))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func shown(d deadline.Due) string {
	text := d.Date.String()
	if d.Provisional {
		text += "?"
	}
	if d.TailExposed {
		text += "!"
	}
	return text
}

func TestACalendarThatComesTurnsProvisionalDatesFirm(t *testing.T) {
	for name, tt := range map[string]struct {
		begun    string
		calendar domain.PublishCalendar
		want     string
	}{
		"which move": {"2026-12-21T02:00:00Z", invented(1, 1, 4, 5), "2027-01-11? > 2027-01-14"},
		"which stay": {"2026-12-21T02:00:00Z", invented(1), "2027-01-11? > 2027-01-11"},
		"one that ends in the days that next year's notice may change is not exposed any more": {"2026-12-07T02:00:00Z", invented(1), "2026-12-28! > 2026-12-28"},
		"one that ends before stays unsaid":                                                    {"2026-11-30T02:00:00Z", invented(1, 1, 4), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				_, stop := w.react()
				w.react()
				until(w, "2026-11-30T00:00:00Z")
				w.tell("", year2026())
				w.tell("", working(15))
				until(w, tt.begun)
				w.tell("ada", withdrawn("ads"))
				synctest.Wait()
				w.tell("", tt.calendar)
				synctest.Wait()
				if got := moves(w); got != tt.want {
					t.Errorf("moved %s, want %s", got, tt.want)
				}
				for _, e := range facts[domain.ObligationMoved](w) {
					newest := facts[domain.CalendarPublished](w)
					if x := e.Event.(domain.ObligationMoved); x.By != ident.EventID(newest[len(newest)-1].ID) {
						t.Errorf("the cause is not named: %+v", x)
					}
				}
				stop()
				w.react() // and again after a restart
				synctest.Wait()
				once(w)
				if got := moves(w); got != tt.want {
					t.Errorf("after a restart %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestWhatIsClosedKeepsItsDateAndAnAmendmentMovesWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.react()
		until(w, "2026-12-21T01:00:00Z")
		w.tell("", year2026())
		w.tell("", working(15))
		for _, who := range []string{"ada", "bo"} {
			w.tell(who, withdrawn("ads"))
		}
		synctest.Wait()
		w.tell("bo", noted("withdrawal.confirmed", "channel", "app"))
		synctest.Wait()
		w.tell("", invented(1, 1))
		synctest.Wait()
		w.tell("", invented(2, 1, 4, 5))
		synctest.Wait()
		if got := moves(w); got != "2027-01-11? > 2027-01-12, 2027-01-12 > 2027-01-14" {
			t.Errorf("moved %s", got)
		}
		for _, d := range duties(w) {
			if d.State == obligation.StateMet && shown(d.Due) != "2027-01-11?" || d.State == obligation.StateOpen && shown(d.Due) != "2027-01-14" {
				t.Errorf("%s is due %s", d.State, shown(d.Due))
			}
		}
	})
}

func TestAnOpeningThatWasDecidedOnAnOlderCalendarIsCaught(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		until(w, "2026-12-21T01:00:00Z")
		w.tell("", year2026())
		w.tell("", working(15))
		old, err := w.open() // a process that has read the calendars, and hears of no other
		if err != nil {
			t.Fatal(err)
		}
		ref, err := old.App(context.Background(), "demo")
		if err != nil || len(ref.Calendars.Published()) != 1 {
			t.Fatal(ref.Calendars, err)
		}
		w.tell("", invented(1, 1, 4, 5))
		rule, _ := ref.Policies.Versions()[0].Document.DeadlineRule("w")
		stream := ident.StreamID{Noun: ident.ObligationNoun, App: "demo", ID: "0123456789abcdef"}
		cmd := domain.OpenDuties{Cause: obligation.Cause{Event: ident.EventID{1}, Kind: "consent.withdrawn", Stream: "subject-demo-00ff"}, Rule: policy.DutyRule{ID: "reply", Kind: policy.DutyReply}, Start: w.Now(), Rules: []deadline.Rule{rule}}
		if _, err := old.ExecuteOn(t.Context(), stream, ledger.Request{Source: "old", ID: "1", Body: []byte("x"), Actor: "system", RecordedBy: "test", Command: cmd}); err != nil {
			t.Fatal(err)
		}
		if got := shown(duties(w)[0].Due); got != "2027-01-11?" {
			t.Fatalf("the old process knew better: %s", got)
		}
		w.react()
		w.react()
		synctest.Wait()
		if got := moves(w); got != "2027-01-11? > 2027-01-14" {
			t.Errorf("moved %s", got)
		}
		once(w)
	})
}
