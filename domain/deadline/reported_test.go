package deadline_test

import (
	"errors"
	"testing"
	"time"

	"consentledger/cmd/consentledger/law"
	"consentledger/domain/deadline"
)

func known(t *testing.T) deadline.Calendars {
	t.Helper()
	c, err := law.Known()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What is reported of 2027 for the PRC: counted by hand.
func TestADateThatRestsOnReportedDaysIsProvisionalAndSafeByTheEarlier(t *testing.T) {
	for _, tt := range []struct {
		name, rule, start  string
		date, without, gap string // without: what the date is if nothing is reported
		safe, safeNotice   string
	}{
		// 21-25, 28-31 December are 9; 4-8 January 14; Monday 11 is 15. Without: Friday 1 January counts.
		{"new year's days off move it later", "cn.policy.withdrawal_reply", "2026-12-20T10:00:00+08:00", "2027-01-11", "2027-01-08", "2027-01-01", "2027-01-08", ""},
		// 21-22, 25-29 January are 7; Sunday 31 is made up: 8; 1-4 February 12; 5-13 off; Sunday 14 is made up: 13; 15, 16.
		{"made-up Sundays count", "cn.policy.withdrawal_reply", "2027-01-20T10:00:00+08:00", "2027-02-16", "2027-02-10", "2027-01-21", "2027-02-10", ""},
		// 20-24, 27, 28 September are 7 with Sunday 26: 8, 29, 30: 10; 1-7 October off; 8, Saturday 9: 12; 11-13.
		{"a made-up day brings it forward", "cn.policy.withdrawal_reply", "2027-09-17T10:00:00+08:00", "2027-10-13", "2027-10-08", "2027-09-18", "2027-10-08", ""},
		// 3 days before a feast: Saturday 8 May is made up, so the report is the earlier.
		{"the report may be the earlier", "cn.scc2023.filing", "2027-05-05T10:00:00+08:00", "2027-05-18", "2027-05-19", "2027-05-06", "2027-05-18", ""},
		{"a notice is long enough by the later", "cn.policy.cessation_notice.forward", "2026-12-20T10:00:00+08:00", "2027-01-11", "2027-01-08", "2027-01-01", "2027-01-08", "2027-01-29"},
		{"a last day that is off rolls", "cn.gbt35273.request_reply", "2027-01-08T10:00:00+08:00", "2027-02-14", "2027-02-08", "2027-02-07", "2027-02-08", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule, start := ruleOf(t, tt.rule), instant(t, tt.start)
			due, err := deadline.Compute(rule, start, nil, false, known(t))
			if err != nil {
				t.Fatal(err)
			}
			if !due.Provisional || !due.Reported || due.Date.String() != tt.date || due.Gap.String() != tt.gap || due.SafeTarget.String() != tt.safe {
				t.Errorf("due %s, safe %s, provisional %t, reported %t from %s", due.Date, due.SafeTarget, due.Provisional, due.Reported, due.Gap)
			}
			if tt.safeNotice != "" && due.SafeNotice < due.Earliest {
				t.Errorf("safe notice %s, earliest %s", due.SafeNotice, due.Earliest)
			}
			unknown, err := deadline.Compute(rule, start, nil, false, shipped(t))
			if err != nil || unknown.Date.String() != tt.without || unknown.Reported {
				t.Errorf("without: %s, %v", unknown.Date, err)
			}
		})
	}
}

// A notice of what happens on a day is given by the earlier of both.
func TestABackwardDateThatRestsOnReportedDaysIsSafeByTheEarlier(t *testing.T) {
	rule, start := ruleOf(t, "cn.policy.cessation_notice.latest"), instant(t, "2027-03-01T00:00:00+08:00")
	due, err := deadline.Compute(rule, start, nil, false, known(t))
	without, bad := deadline.Compute(rule, start, nil, false, shipped(t))
	if err := errors.Join(err, bad); err != nil {
		t.Fatal(err)
	}
	// Back from 1 March: 22-26 February are 5; 15-19: 10; Sunday 14: 11; 4, 3, 2, 1: 15. So the day before.
	if due.Date.String() != "2027-01-31" || !due.Provisional || due.SafeTarget != min(due.Date, without.Date) {
		t.Errorf("%s, safe %s; without %s", due.Date, due.SafeTarget, without.Date)
	}
}

// From a year that is announced a count comes to one that is reported, and from
// that to one of which nobody says anything.
func TestACountGoesThroughYearsOfEveryState(t *testing.T) {
	c := deadline.Calendars{}
	for _, k := range []deadline.Calendar{
		{Jurisdiction: "DE", Year: 2026, Notice: "a", Issued: deadline.NewDate(2025, time.November, 3), Off: []deadline.Date{deadline.NewDate(2026, time.December, 25)}},
		{Jurisdiction: "DE", Year: 2027, Reported: true, Source: "a package", Off: []deadline.Date{deadline.NewDate(2027, time.January, 1)}},
	} {
		c = c.Add(k, 0)
	}
	rule := deadline.Rule{ID: "x", Unit: deadline.UnitWorkingDay, Length: 5, Calendar: "DE", TimeZone: "Europe/Berlin"}
	start := instant(t, "2026-12-23T10:00:00+01:00")
	for _, tt := range []struct {
		length          int
		date, gap, safe string
	}{
		{4, "2026-12-30", "", ""},                       // 24, 28, 29, 30 December
		{6, "2027-01-04", "2027-01-01", "2027-01-01"},   // 31; Friday 1 January is off; Monday 4
		{266, "2028-01-03", "2027-01-01", "2027-12-29"}, // 5, and 260 in 2027; safe: two days fewer, and 1 January worked
	} {
		rule.Length = tt.length
		due, err := deadline.Compute(rule, start, nil, false, c)
		got := due.Date.String() + " " + due.Gap.String() + " " + due.SafeTarget.String()
		if err != nil || got != tt.date+" "+tt.gap+" "+tt.safe || due.Provisional != (tt.gap != "") {
			t.Errorf("%d days: %s, versions %v, %v", tt.length, got, due.Versions, err)
		}
	}
}
