package react_test

import (
	"context"
	"testing"
	"testing/synctest"

	"consentledger/api/react"
	"consentledger/domain"
)

func TestAnAppHasTheShippedCalendarsOfItsJurisdiction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		year := func(jurisdiction string, year int) domain.Calendar {
			return domain.Calendar{Jurisdiction: jurisdiction, Year: year, Version: 1, Notice: "invented", Issued: domain.NewDate(year-1, 12, 1), Off: []domain.Date{domain.NewDate(year, 1, 1)}, Partial: true}
		}
		w.tell("", domain.PublishCalendar{Calendar: domain.Calendar{Jurisdiction: "CN", Year: 2001, Notice: "invented", Issued: domain.NewDate(2000, 12, 1), Off: []domain.Date{domain.NewDate(2001, 1, 2)}, Partial: true}})
		for range 2 { // and again after a restart
			ctx, cancel := context.WithCancel(t.Context())
			r := &react.Reactor{Ledger: w.Ledger, Shipped: []domain.Calendar{year("CN", 2000), year("CN", 2001), year("DE", 2000)}}
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
