package deadline

import "consentledger/domain/internal/form"

// A DueState is how far a deadline has come.
type DueState uint8

const (
	NotStarted DueState = iota // nothing has started its clock
	Running                    // it has a date, or an instant
	Suspended                  // its clock stands still: no date, only what has elapsed
)

var dueStates = form.Codes{"not_started", "running", "suspended"}

func (s DueState) String() string { return dueStates.Name(uint8(s)) }

// ParseDueState reads what [DueState.String] writes.
func ParseDueState(s string) (DueState, error) {
	return form.ParseCode[DueState](s, dueStates, "a state of a deadline")
}

// A Due is what a deadline rule comes to for one start, with everything that
// it rests on: to be recorded as computed, and never computed again in place.
type Due struct {
	Rule     RuleID
	Unit     Unit
	Calendar string // jurisdiction; empty: none was used
	TimeZone string
	State    DueState
	Start    Instant
	Extended bool
	DayZero  Date // the local date of Start, which does not count

	Date  Date    // the last day; for backward rules the last for the notice; zero for hours
	Until Instant // a day's exclusive end, the next local midnight; for hours the due instant itself

	BeforeRoll Date // where the period ended, if that was no working day
	CountedTo  Date // backward: the first of the days between
	Earliest   Date // the first day on which what was announced may happen

	Provisional bool // rests on a year that has no calendar
	Reported    bool // provisional: on what somebody reports of such a year
	Gap         Date // the first such date that the count came to
	SafeTarget  Date // provisional: early enough for days that may yet be made up
	SafeNotice  Date // provisional, with Earliest: the same by the fewest working days, which is late enough
	TailExposed bool // falls after 24 December, which next year's notice may still change

	Elapsed   int64 // suspended: counted so far; see Counted
	Remaining int64
	Ignored   int // pauses that do not stop this rule

	Versions []CalendarVersion // the calendars that were used, in the order of their use
}

// Counted returns what Elapsed and Remaining count: working days or calendar
// days, also of rules in months and years, or milliseconds for rules in hours
// (the unit is then hours).
func (d Due) Counted() Unit {
	switch d.Unit {
	case UnitWorkingDay, UnitHour:
		return d.Unit
	}
	return UnitCalendarDay
}

// InTime reports whether something done at an instant was done in time. Of a
// deadline that has not started, or stands still, everything is.
func (d Due) InTime(at Instant) bool {
	switch {
	case d.State != Running:
		return true
	case d.Unit == UnitHour:
		return at <= d.Until
	}
	return at < d.Until
}

// Binding returns the index of the due that binds among several that opened
// together: the earliest that has a date; -1 if none has.
func Binding(dues []Due) int {
	found := -1
	for i, d := range dues {
		if d.State == Running && (found < 0 || d.Until < dues[found].Until) {
			found = i
		}
	}
	return found
}

// enough is how many working days before its last day an obligation is at risk.
const enough = 3

// RiskAt returns when little time is left; zero while no clock runs. It is the
// safe target date of what is provisional, or of what rests on reported days the
// third working day before it if that is earlier; else the third working day before
// the last day; of what is counted in hours, and of what is shorter than that,
// the moment at which three quarters of the time are over. Where no calendar is
// used, Saturdays and Sundays are off.
func (d Due) RiskAt(calendars Calendars) Instant {
	if d.State != Running {
		return 0
	}

	quarters := d.Start + (d.Until-d.Start)*3/4
	zone, err := ParseZone(d.TimeZone)
	if err != nil || d.Date == 0 {
		return quarters
	}

	day := d.SafeTarget
	if before := d.before(calendars.Workdays(d.Calendar)); day == 0 || d.Reported && before < day {
		day = before
	}

	at := zone.Midnight(day)
	if d.Start < d.Until && at <= d.Start {
		return quarters
	}
	return at
}

// before returns the day so many working days before the last.
func (d Due) before(days *Workdays) Date {
	day := d.Date
	for n := 0; n < enough && day > 1; {
		day--
		if works, _ := days.IsWorkingDay(day); works {
			n++
		}
	}
	return day
}
