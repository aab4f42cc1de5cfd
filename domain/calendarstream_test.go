package domain_test

import (
	"errors"
	"testing"
	"time"

	. "consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
)

var officer = ident.By{Actor: ident.Operator, Principal: "officer"}

func TestAYearIsUnknownReportedOrAnnounced(t *testing.T) {
	tell := func(c deadline.Calendars, k deadline.Calendar) deadline.Calendars {
		t.Helper()
		events, err := DecideCalendars(c, PublishCalendar{Calendar: k}, officer)
		if err != nil || len(events) != 1 {
			t.Fatal(events, err)
		}
		return EvolveCalendars(c, Fact{Event: events[0]})
	}
	day := deadline.NewDate(2027, time.May, 17)
	said := deadline.Calendar{Jurisdiction: "DE", Year: 2027, Reported: true, Source: "a package", Off: []deadline.Date{day}}
	notice := deadline.Calendar{Jurisdiction: "DE", Year: 2027, Notice: "1", Issued: deadline.NewDate(2026, time.December, 1), Off: []deadline.Date{day + 1}}
	rule := deadline.Rule{ID: "x", Unit: deadline.UnitWorkingDay, Length: 1, Calendar: "DE", TimeZone: "Europe/Berlin"}
	start := deadline.At(time.Date(2027, time.May, 14, 8, 0, 0, 0, time.UTC)) // a Friday

	var c deadline.Calendars
	for _, tt := range []struct {
		after       *deadline.Calendar
		state       deadline.YearState
		date        string
		provisional bool
		versions    string
	}{
		{nil, deadline.YearUnknown, "2027-05-17", true, "[]"},
		{&said, deadline.YearReported, "2027-05-18", true, "[DE 2027 reported]"},
		{&notice, deadline.YearAnnounced, "2027-05-17", false, "[DE 2027 v1]"},
	} {
		before, _ := deadline.Compute(rule, start, nil, false, c)
		if tt.after != nil {

			c = tell(c, *tt.after)
			published := deadline.Publication{Calendar: c.Published()[len(c.Published())-1]}
			if !c.Touches(published, before) {
				t.Errorf("%s: the date of before is not computed again", tt.state)
			}
			if again, err := DecideCalendars(c, PublishCalendar{Calendar: *tt.after}, officer); err != nil || len(again) > 0 {
				t.Errorf("%s: the same again is news: %v %v", tt.state, again, err)
			}
		}
		due, err := deadline.Compute(rule, start, nil, false, c)
		if err != nil || due.Date.String() != tt.date || due.Provisional != tt.provisional || due.Reported != (tt.state == deadline.YearReported) {
			t.Errorf("%s: %s, provisional %t, reported %t, %v", tt.state, due.Date, due.Provisional, due.Reported, err)
		}
		if got := c.Workdays("DE").State(2027); got != tt.state {
			t.Errorf("is %s, want %s", got, tt.state)
		}
	}

	for _, tt := range []struct {
		name string
		k    deadline.Calendar
		path string
	}{
		{"on nobody's word", deadline.Calendar{Jurisdiction: "DE", Year: 2028, Reported: true}, "source"},
		{"after the notice", deadline.Calendar{Jurisdiction: "DE", Year: 2027, Reported: true, Source: "another package"}, "year"},
		{"with a version", deadline.Calendar{Jurisdiction: "DE", Year: 2028, Reported: true, Source: "a package", Version: 1}, "version"},
		{"that is a guess", deadline.Calendar{Jurisdiction: "DE", Year: 2028, Reported: true, Projected: true, Source: "a package"}, "reported"},
		{"days that cannot be right", deadline.Calendar{Jurisdiction: "CN", Year: 2028, Reported: true, Source: "a package", Off: []deadline.Date{deadline.NewDate(2028, time.January, 3)}}, "off"},
	} {
		_, err := DecideCalendars(c, PublishCalendar{Calendar: tt.k}, officer)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != refusal.CalendarInvalid || got.Path != tt.path {
			t.Errorf("a report %s: %v", tt.name, err)
		}
	}
}

// A year is announced, then amended; what is published once more after that, or
// was issued before it, takes nothing back.
func TestAnOlderNoticeTakesNoAmendmentBack(t *testing.T) {
	first := deadline.Calendar{Jurisdiction: "DE", Year: 2027, Notice: "a", Issued: deadline.NewDate(2026, time.November, 3), Off: []deadline.Date{deadline.NewDate(2027, time.May, 17)}}
	amended := deadline.Calendar{Jurisdiction: "DE", Year: 2027, Notice: "b", Issued: deadline.NewDate(2027, time.March, 1), Off: []deadline.Date{deadline.NewDate(2027, time.May, 18)}}
	older, back := amended, first
	older.Notice, older.Issued = "c", deadline.NewDate(2026, time.October, 1)
	back.Notice, back.Issued = "d", deadline.NewDate(2027, time.April, 1)

	var c deadline.Calendars
	for i, tt := range []struct {
		k       deadline.Calendar
		version int // of the year, after it
		path    string
	}{{first, 1, ""}, {amended, 2, ""}, {first, 2, ""}, {amended, 2, ""}, {older, 2, "issued"}, {back, 3, ""}, {amended, 3, ""}} {
		events, err := DecideCalendars(c, PublishCalendar{Calendar: tt.k}, officer)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Path != tt.path {
			t.Fatalf("%d: %v, want it refused for %q", i, err, tt.path)
		}
		for _, e := range events {
			c = EvolveCalendars(c, Fact{Event: e, Recorded: deadline.Instant(i + 1)})
		}
		if k, _ := c.Latest("DE", 2027); k.Version != tt.version {
			t.Errorf("%d: version %d is the newest, want %d", i, k.Version, tt.version)
		}
	}
}
