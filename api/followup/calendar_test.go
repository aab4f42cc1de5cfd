package followup_test

import (
	"context"
	"testing"
	"testing/synctest"

	"consentledger/api/followup"
	"consentledger/domain"
	"consentledger/domain/deadline"
)

func TestAnAppHasTheShippedCalendarsOfItsJurisdiction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		year := func(jurisdiction string, year int) deadline.Calendar {
			return deadline.Calendar{Jurisdiction: jurisdiction, Year: year, Version: 1, Notice: "invented", Issued: deadline.NewDate(year-1, 12, 1), Off: []deadline.Date{deadline.NewDate(year, 1, 1)}, Partial: true}
		}
		w.tell("", domain.PublishCalendar{Calendar: deadline.Calendar{Jurisdiction: "CN", Year: 2001, Notice: "invented", Issued: deadline.NewDate(2000, 12, 1), Off: []deadline.Date{deadline.NewDate(2001, 1, 2)}, Partial: true}})
		said := deadline.Calendar{Jurisdiction: "CN", Year: 2001, Reported: true, Source: "a package", Off: []deadline.Date{deadline.NewDate(2001, 1, 1)}, Partial: true} // of a year that is announced
		for range 2 {                                                                                                                                                     // and again after a restart
			ctx, cancel := context.WithCancel(t.Context())
			r := &followup.Process{Ledger: w.Ledger, Shipped: []deadline.Calendar{year("CN", 2000), year("CN", 2001), year("DE", 2000), said}}
			done := make(chan error, 1)
			go func() { done <- r.Run(ctx) }()
			synctest.Wait()
			if s, err := r.State(); err != nil || s.Refused != 0 {
				t.Errorf("%+v, %v", s, err)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		got := facts[domain.CalendarPublished](w)
		if len(got) != 2 || got[0].RecordedBy != "test" || got[1].RecordedBy != "react" || got[1].Event.(domain.CalendarPublished).Calendar.Year != 2000 {
			t.Errorf("%v", got)
		}
	})
}

// What is reported of a year moves the dates that were assumed; the notice makes
// them firm.
func TestWhatIsReportedMovesDatesAndTheNoticeMakesThemFirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, stop := w.react()
		w.tell("", year2026())
		w.tell("", working(15))
		until(w, "2026-12-21T02:00:00Z")
		w.tell("ada", withdrawn("ads"))
		synctest.Wait()
		said := invented(0, 1, 4).Calendar
		said.Notice, said.Issued, said.Reported, said.Source = "", 0, true, "a package"
		w.tell("", domain.PublishCalendar{Calendar: said})
		synctest.Wait()
		if got := moves(w); got != "2027-01-11? > 2027-01-13?" {
			t.Errorf("reported: %s", got)
		}
		for _, d := range duties(w) {
			if !d.Due.Reported || d.Due.SafeTarget.String() != "2027-01-11" {
				t.Errorf("safe %s, reported %t", d.Due.SafeTarget, d.Due.Reported)
			}
		}
		w.tell("", invented(1, 1, 4, 5))
		synctest.Wait()
		if got := moves(w); got != "2027-01-11? > 2027-01-13?, 2027-01-13? > 2027-01-14" {
			t.Errorf("announced: %s", got)
		}
		stop()
		once(w)
	})
}
