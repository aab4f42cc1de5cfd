package domain

// A DueState is how far a deadline has come.
type DueState uint8

const (
	NotStarted DueState = iota // nothing has started its clock
	Running                    // it has a date, or an instant
	Suspended                  // its clock stands still: no date, only what has elapsed
)

var dueStates = codes{"not_started", "running", "suspended"}

func (s DueState) String() string { return dueStates.name(uint8(s)) }

// ParseDueState reads what [DueState.String] writes.
func ParseDueState(s string) (DueState, error) {
	return parseCode[DueState](s, dueStates, "a state of a deadline")
}

// A Due is what a deadline rule comes to for one start, with everything that
// it rests on: to be recorded as computed, and never computed again in place.
type Due struct {
	Rule     DeadlineRuleID
	Unit     DeadlineUnit
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
func (d Due) Counted() DeadlineUnit {
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
