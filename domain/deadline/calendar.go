package deadline

import (
	"fmt"
	"time"

	"consentledger/domain/internal/form"
)

// A Calendar is what one notice says about the working days of one year of one
// jurisdiction. A date is a working day if it is in MakeUp, or if it is Monday
// to Friday and not in Off. A notice may also say so of the December before
// its year, as those of 2012 and 2019 did for the PRC, or the January after.
type Calendar struct {
	Jurisdiction string // "CN"; a region has its own, as in "CN-GX"
	AddsTo       string // the jurisdiction on whose calendars this one lies; empty: none
	Year         int
	Version      int    // 1 is the first published, each amendment is one more
	Notice       string // its number: 国办发明电〔2025〕7号
	Issued       Date
	Off          []Date // spans off, with the Saturdays and Sundays in them
	MakeUp       []Date // Saturdays and Sundays that are worked
	WorkingDays  int    // of the year, as the publisher counts them; 0: not said
	Partial      bool   // it has not every day of the year: nothing is counted
	Projected    bool   // a guess at the most days off; never makes a year known
	Reported     bool   // somebody says that it will be so, and no notice was seen; never makes a year known
	Source       string // of what is reported: who says it, and where
}

// A CalendarVersion names one calendar.
type CalendarVersion struct {
	Jurisdiction  string
	Year, Version int
}

// String returns the form "CN 2026 v1"; of version 0, which only what was
// reported has, "CN 2027 reported".
func (v CalendarVersion) String() string {
	if v.Version == 0 {
		return fmt.Sprintf("%s %d reported", v.Jurisdiction, v.Year)
	}
	return fmt.Sprintf("%s %d v%d", v.Jurisdiction, v.Year, v.Version)
}

// ID names the calendar.
func (c Calendar) ID() CalendarVersion {
	return CalendarVersion{Jurisdiction: c.Jurisdiction, Year: c.Year, Version: c.Version}
}

// Check returns what keeps c from being a calendar; nothing when it is one.
func (c Calendar) Check() []Problem {
	var p problems
	if !form.IsJurisdiction(c.Jurisdiction) {
		p.add("jurisdiction", `%q is no jurisdiction: want one as in "CN" or "CN-GX"`, c.Jurisdiction)
	}
	if c.AddsTo != "" && (!form.IsJurisdiction(c.AddsTo) || c.AddsTo == c.Jurisdiction) {
		p.add("adds_to", `%q is not another jurisdiction: want one as in "CN"`, c.AddsTo)
	}

	if c.Year < 2 || c.Year > 9998 {
		p.add("year", "%d is no year: want one as in 2026", c.Year)
		return p
	}

	switch {
	case c.Reported && c.Projected:
		p.add("reported", "what is projected is reported by nobody: say one of the two")
	case c.Reported && c.Version != 0:
		p.add("version", "what is reported has none: it is no notice")
	case !c.Reported && c.Version < 1:
		p.add("version", "is at least 1")
	}

	c.checkDays(&p)
	if len(p) == 0 && !c.Partial && !c.Projected {
		c.checkCount(&p)
	}
	return p
}

// A Problem is something that keeps a Calendar from being one. Path says
// where, as in "makeup[0]".
type Problem struct{ Path, Message string }

func (p Problem) String() string { return p.Path + ": " + p.Message }

// problems are collected in the order in which they are found.
type problems []Problem

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// checkDays checks every date by itself, and that no date is named twice.
func (c Calendar) checkDays(p *problems) {
	first, last := NewDate(c.Year-1, time.December, 1), NewDate(c.Year+1, time.January, 31)
	seen := map[Date]string{}

	for _, list := range []struct {
		path  string
		dates []Date
	}{{"off", c.Off}, {"makeup", c.MakeUp}} {
		for i, d := range list.dates {
			path := fmt.Sprintf("%s[%d]", list.path, i)
			switch {
			case d < first || d > last:
				p.add(path, "%s is not in %d, nor in the December before or the January after", d, c.Year)
			case list.path == "makeup" && !d.IsWeekend():
				p.add(path, "%s is a %s: only a Saturday or Sunday is worked to make up", d, d.Weekday())
			case seen[d] == list.path:
				p.add(path, "%s is named twice", d)
			case seen[d] != "":
				p.add(path, "%s is both a day off and worked to make up: it is one of them", d)
			}
			seen[d] = list.path
		}
	}
}

// checkCount checks the sum of a whole year. Its working days are the weekdays
// without the statutory days off: every other day off is made up for.
func (c Calendar) checkCount(p *problems) {
	weekdays, lost := 0, 0
	for d := NewDate(c.Year, time.January, 1); d.Year() == c.Year; d++ {
		if !d.IsWeekend() {
			weekdays++
		}
	}
	for _, d := range c.Off {
		if d.Year() == c.Year && !d.IsWeekend() {
			lost++
		}
	}
	for _, d := range c.MakeUp {
		if d.Year() == c.Year {
			lost--
		}
	}

	if c.WorkingDays != 0 && c.WorkingDays != weekdays-lost {
		p.add("working_days", "says %d, but the days off and worked leave %d", c.WorkingDays, weekdays-lost)
	}
	if want := statutoryDays(c.Jurisdiction, c.Year); want != 0 && c.Version <= 1 && lost != want {
		p.add("off", "%d has %d weekdays off more than weekends worked, the statute gives %d days: "+
			"some are missing or wrong", c.Year, lost, want)
	}
}

// statutoryDays returns how many days off the law gives in a year; 0 if that is
// not known. In the PRC they are 11 by the State Council's decree 513, and 13 by
// its decree 795. An amendment may give more, as that of 2015 did.
func statutoryDays(jurisdiction string, year int) int {
	switch {
	case jurisdiction == "CN" && year >= 2025:
		return 13
	case jurisdiction == "CN" && year >= 2008:
		return 11
	}
	return 0
}

// issued returns when c was issued; if it does not say, the December before its
// year, when most are.
func (c Calendar) issued() Date {
	if c.Issued == 0 {
		return NewDate(c.Year-1, time.December, 1)
	}
	return c.Issued
}
