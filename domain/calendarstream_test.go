package domain_test

import (
	"errors"
	"testing"
	"time"

	. "consentledger/domain"
)

var officer = By{Actor: Operator, Principal: "officer"}

func TestAYearIsUnknownReportedOrAnnounced(t *testing.T) {
	tell := func(c Calendars, k Calendar) Calendars {
		t.Helper()
		events, err := DecideCalendars(c, PublishCalendar{Calendar: k}, officer)
		if err != nil || len(events) != 1 {
			t.Fatal(events, err)
		}
		return EvolveCalendars(c, Fact{Event: events[0]})
	}
	day := NewDate(2027, time.May, 17)
	said := Calendar{Jurisdiction: "DE", Year: 2027, Reported: true, Source: "a package", Off: []Date{day}}
	notice := Calendar{Jurisdiction: "DE", Year: 2027, Notice: "1", Issued: NewDate(2026, time.December, 1), Off: []Date{day + 1}}
	rule := DeadlineRule{ID: "x", Unit: UnitWorkingDay, Length: 1, Calendar: "DE", TimeZone: "Europe/Berlin"}
	start := At(time.Date(2027, time.May, 14, 8, 0, 0, 0, time.UTC)) // a Friday

	var c Calendars
	for _, tt := range []struct {
		after       *Calendar
		state       YearState
		date        string
		provisional bool
		versions    string
	}{
		{nil, YearUnknown, "2027-05-17", true, "[]"},
		{&said, YearReported, "2027-05-18", true, "[DE 2027 reported]"},
		{&notice, YearAnnounced, "2027-05-17", false, "[DE 2027 v1]"},
	} {
		before, _ := Compute(rule, start, nil, false, c)
		if tt.after != nil {

			c = tell(c, *tt.after)
			published := Publication{Calendar: c.Published()[len(c.Published())-1]}
			if !c.Touches(published, before) {
				t.Errorf("%s: the date of before is not computed again", tt.state)
			}
			if again, err := DecideCalendars(c, PublishCalendar{Calendar: *tt.after}, officer); err != nil || len(again) > 0 {
				t.Errorf("%s: the same again is news: %v %v", tt.state, again, err)
			}
		}
		due, err := Compute(rule, start, nil, false, c)
		if err != nil || due.Date.String() != tt.date || due.Provisional != tt.provisional || due.Reported != (tt.state == YearReported) {
			t.Errorf("%s: %s, provisional %t, reported %t, %v", tt.state, due.Date, due.Provisional, due.Reported, err)
		}
		if got := c.Workdays("DE").State(2027); got != tt.state {
			t.Errorf("is %s, want %s", got, tt.state)
		}
	}

	for _, tt := range []struct {
		name string
		k    Calendar
		path string
	}{
		{"on nobody's word", Calendar{Jurisdiction: "DE", Year: 2028, Reported: true}, "source"},
		{"after the notice", Calendar{Jurisdiction: "DE", Year: 2027, Reported: true, Source: "another package"}, "year"},
		{"with a version", Calendar{Jurisdiction: "DE", Year: 2028, Reported: true, Source: "a package", Version: 1}, "version"},
		{"that is a guess", Calendar{Jurisdiction: "DE", Year: 2028, Reported: true, Projected: true, Source: "a package"}, "reported"},
		{"days that cannot be right", Calendar{Jurisdiction: "CN", Year: 2028, Reported: true, Source: "a package", Off: []Date{NewDate(2028, time.January, 3)}}, "off"},
	} {
		_, err := DecideCalendars(c, PublishCalendar{Calendar: tt.k}, officer)
		if got, _ := errors.AsType[Refusal](err); got.Code != CalendarInvalid || got.Path != tt.path {
			t.Errorf("a report %s: %v", tt.name, err)
		}
	}
}

// A year is announced, then amended; what is published once more after that, or
// was issued before it, takes nothing back.
func TestAnOlderNoticeTakesNoAmendmentBack(t *testing.T) {
	first := Calendar{Jurisdiction: "DE", Year: 2027, Notice: "a", Issued: NewDate(2026, time.November, 3), Off: []Date{NewDate(2027, time.May, 17)}}
	amended := Calendar{Jurisdiction: "DE", Year: 2027, Notice: "b", Issued: NewDate(2027, time.March, 1), Off: []Date{NewDate(2027, time.May, 18)}}
	older, back := amended, first
	older.Notice, older.Issued = "c", NewDate(2026, time.October, 1)
	back.Notice, back.Issued = "d", NewDate(2027, time.April, 1)

	var c Calendars
	for i, tt := range []struct {
		k       Calendar
		version int // of the year, after it
		path    string
	}{{first, 1, ""}, {amended, 2, ""}, {first, 2, ""}, {amended, 2, ""}, {older, 2, "issued"}, {back, 3, ""}, {amended, 3, ""}} {
		events, err := DecideCalendars(c, PublishCalendar{Calendar: tt.k}, officer)
		if got, _ := errors.AsType[Refusal](err); got.Path != tt.path {
			t.Fatalf("%d: %v, want it refused for %q", i, err, tt.path)
		}
		for _, e := range events {
			c = EvolveCalendars(c, Fact{Event: e, Recorded: Instant(i + 1)})
		}
		if k, _ := c.Latest("DE", 2027); k.Version != tt.version {
			t.Errorf("%d: version %d is the newest, want %d", i, k.Version, tt.version)
		}
	}
}
