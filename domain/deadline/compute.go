package deadline

import (
	"fmt"

	"consentledger/domain/internal/form"
)

// Compute returns what a rule comes to when its clock starts at an instant.
// The start's local date in the rule's zone is day 0 and never counts, whatever
// the hour and whether or not it is a working day (Civil Code 201; Regulation
// 1182/71, 3(1)). A zero start has not happened.
//
// A pause takes the dates after the one it began on, up to the one it ended on,
// out of the count, or its exact length out of a rule in hours. Extended counts
// the extended length, from day 0 too. The same arguments always give the same
// Due: what was not known is assumed as its Provisional says, and never silently.
//
// A year that was reported and not announced is counted as reported. The date
// is provisional all the same: it is safe by the earlier of what is reported and
// what holds if nothing were, and a notice is long enough by the later.
func Compute(r Rule, start Instant, pauses []Pause, extended bool, calendars Calendars) (Due, error) {
	due, _, err := compute(r, start, pauses, extended, calendars, false)
	if err != nil || !due.Provisional {
		return due, err
	}

	told, blind, err := compute(r, start, pauses, extended, calendars, true)
	if err != nil || !told.Reported {
		return due, err
	}

	return told.saferThan(due, blind), nil
}

// saferThan returns d with the dates that are safe also if due is right. Blind
// says that d rests on a year, too, of which nobody says anything: then the margin
// for days that may be made up there stays.
func (d Due) saferThan(due Due, blind bool) Due {
	if d.State != Running || due.State != Running {
		return d
	}

	if blind && d.SafeTarget != 0 {
		d.SafeTarget = min(d.SafeTarget, due.SafeTarget)
	} else {
		d.SafeTarget = min(d.Date, due.Date)
	}

	if d.Earliest != 0 {
		d.SafeNotice = max(d.Earliest, due.Earliest, due.SafeNotice)
	}
	return d
}

// compute returns what a rule comes to, with or without what is reported of
// years that have no calendar. Blind says that it counted a year of which nobody
// says anything.
func compute(
	r Rule, start Instant, pauses []Pause, extended bool, calendars Calendars, reported bool,
) (_ Due, blind bool, err error) {
	zone, err := ParseZone(r.TimeZone)
	if err != nil {
		return Due{}, false, fmt.Errorf("rule %s: %w", r.ID, err)
	}

	length := r.Length
	if extended {
		length = r.ExtendedLength
	}
	switch {
	case extended && r.ExtendedLength == 0:
		return Due{}, false, fmt.Errorf("rule %s: cannot be extended: it has no extended length", r.ID)
	case length < 1 || length > maxLength:
		return Due{}, false, fmt.Errorf("rule %s: length %d: want 1 to %d", r.ID, length, maxLength)
	}

	c := computation{rule: r, zone: zone, length: length}
	c.due = Due{Rule: r.ID, Unit: r.Unit, TimeZone: r.TimeZone, Extended: extended, Start: start}
	if start == 0 {
		return c.due, c.count.blind, nil
	}

	c.due.State, c.due.DayZero = Running, zone.Date(start)
	if r.Unit == UnitWorkingDay || r.Roll != RollNone {
		c.due.Calendar = r.Calendar
	}
	c.count.days = calendars.Workdays(r.Calendar)
	if reported {
		c.count.assume = mostOrReported
	}

	if err := c.run(pauses); err != nil {
		return Due{}, false, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	return c.due, c.count.blind, nil
}

// maxLength bounds a rule's length, whatever its unit.
const maxLength = 100_000

// A computation is one due date in the making.
type computation struct {
	rule   Rule
	zone   Zone
	length int
	count  count
	due    Due
}

const (
	errFar = form.Error("the due date lies outside the years 2 to 9998")
	errOn  = form.Error("year_day is of rules in years that count forward")
)

func (c *computation) run(pauses []Pause) (err error) {
	if c.rule.YearDay != "" {
		if _, err := ParseYearDay(string(c.rule.YearDay)); err != nil {
			return err
		}
		if c.rule.Unit != UnitYear || c.rule.Direction == Backward {
			return errOn
		}
	}
	if c.rule.Unit == UnitHour {
		return c.hours(pauses)
	}

	list, ignored, err := stops(c.rule, pauses, c.due.DayZero, c.zone.Date)
	if err != nil {
		return err
	}
	c.due.Ignored = ignored

	switch {
	case c.rule.Direction == Backward:
		err = c.backward()
	case c.rule.Unit == UnitWorkingDay:
		err = c.workingDays(list)
	default:
		err = c.calendarDays(list)
	}
	if err != nil {
		return err
	}

	return c.conclude()
}

// hours adds elapsed time: no calendar and no change of clocks matters.
func (c *computation) hours(pauses []Pause) error {
	list, ignored, err := stops(c.rule, pauses, c.due.Start, func(i Instant) Instant { return i })
	if err != nil {
		return err
	}
	c.due.Ignored = ignored

	span := Span(c.length) * Hour
	if c.rule.Direction == Backward {
		c.due.Until = c.due.Start.Add(-span)
		return nil
	}

	s := shift(c.due.Start, c.due.Start.Add(span), list)
	if s.suspended {
		c.suspend(s.elapsed, s.remaining)
		return nil
	}
	c.due.Until = s.end
	if s.end > maxInstant {
		return errFar
	}
	return nil
}

func (c *computation) suspend(elapsed, remaining int64) {
	c.due.State, c.due.Elapsed, c.due.Remaining = Suspended, elapsed, remaining
}

// A walk is a count of working days over stops, as far as it came: spans are
// the dates that it looked at, each after its first and up to its second.
type walk struct {
	end     Date
	elapsed int
	open    bool
	spans   [][2]Date
}

// walk counts n working days after day 0.
func (c *computation) walk(n int, list []stop[Date]) walk {
	w := walk{}
	at := c.due.DayZero

	for _, s := range list {
		counted := c.count.between(at, s.from)
		if w.elapsed+counted >= n {
			break
		}
		w.elapsed += counted
		w.spans = append(w.spans, [2]Date{at, s.from})
		if s.open {
			w.open = true
			return w
		}
		at = s.to
	}

	w.end = c.count.next(at, n-w.elapsed)
	w.spans = append(w.spans, [2]Date{at, w.end})
	return w
}

// workingDays finds the n-th working day after day 0.
func (c *computation) workingDays(list []stop[Date]) error {
	w := c.walk(c.length, list)
	for _, s := range w.spans {
		c.count.look(s[0], s[1], false)
	}

	if w.open {
		c.suspend(int64(w.elapsed), int64(c.length-w.elapsed))
		return nil
	}
	if w.end == 0 {
		return errFar
	}

	c.due.Date = w.end
	if c.rule.Result == ResultEarliestEffectiveDate {
		c.due.Earliest = w.end + 1
	}
	if c.count.gap != 0 {
		c.due.SafeTarget = c.safe(list)
		c.safeNotice(list)
	}
	return nil
}

// safeNotice finds when what was announced may happen if the year that is not
// known has the fewest working days: to err early would cut the notice short.
func (c *computation) safeNotice(list []stop[Date]) {
	if c.due.Earliest == 0 {
		return
	}
	fewest := computation{length: c.length, due: c.due, count: count{days: c.count.days, assume: fewestWorkingDays}}
	if w := fewest.walk(c.length, list); w.end != 0 {
		c.due.SafeNotice = w.end + 1
	}
}

// safe returns the due date of a length two working days shorter. Days made up
// before a feast bring a due date forward: of every start from 2022 to
// September 2026 the assumed date was late for one in twenty, this one for none.
func (c *computation) safe(list []stop[Date]) Date {
	if c.length <= 2 {
		return c.due.DayZero + 1
	}
	return c.walk(c.length-2, list).end
}

// calendarDays adds days, months or years, moves the end by the stops, and
// then to the next working day if the rule rolls (Civil Code 202, 203;
// Regulation 1182/71, 3(4)).
func (c *computation) calendarDays(list []stop[Date]) error {
	nominal := c.advance(c.due.DayZero)
	if nominal == 0 {
		return errFar
	}

	s := shift(c.due.DayZero, nominal, list)
	if s.suspended {
		c.suspend(s.elapsed, s.remaining)
		return nil
	}

	c.due.Date = s.end
	if s.end > maxDate-400 {
		return errFar
	}

	if c.rule.Roll == RollNextWorkingDay {
		c.roll()
	}
	if c.rule.Result == ResultEarliestEffectiveDate {
		c.due.Earliest = c.due.Date + 1
	}
	return nil
}

func (c *computation) roll() {
	end := c.due.Date
	if !c.count.works(end) {
		c.due.BeforeRoll, c.due.Date = end, c.count.next(end, 1)
	}

	c.count.look(end-1, c.due.Date, false)
	if c.count.gap != 0 {
		c.due.SafeTarget = end
	}
}

// advance returns the last day of the rule's period after d, before any roll;
// zero if there is none.
func (c *computation) advance(d Date) Date {
	var end Date
	switch {
	case c.rule.Unit == UnitCalendarDay:
		end = d + Date(c.length)
	case c.rule.Unit == UnitMonth:
		end = d.AddMonths(c.length)
	case c.rule.YearDay != "":
		end = c.rule.YearDay.after(d, c.length)
	case c.rule.Unit == UnitYear:
		end = d.AddMonths(12 * c.length)
	}

	if end > maxDate-400 {
		return 0
	}
	return end
}

// backward finds the last day for a notice of something on day 0: the whole
// length lies strictly between the two. It is the dual of the forward rule
// whose earliest effective date is the day after its end.
func (c *computation) backward() error {
	start := c.due.DayZero
	if c.rule.Unit == UnitWorkingDay {
		if c.count.assume.reported() {
			c.count.assume = fewestOrReported
		} else {
			c.count.assume = fewestWorkingDays
		}
		c.due.CountedTo = c.count.back(start, c.length)
		c.due.Date = c.due.CountedTo - 1
		if c.due.CountedTo <= 1 {
			return errFar
		}
		c.count.look(c.due.CountedTo-1, start-1, true)
		return nil
	}

	notice := start - 1 - Date(c.length)
	if c.rule.Unit != UnitCalendarDay {
		months := c.length
		if c.rule.Unit == UnitYear {
			months *= 12
		}
		notice = (start - 1).AddMonths(-months)
		for notice > 0 && c.advance(notice+1) < start && c.advance(notice+1) != 0 {
			notice++ // the month before is longer: its last days all end with this one
		}
	}
	if notice < 1 {
		return errFar
	}

	c.due.Date, c.due.CountedTo = notice, notice+1
	return nil
}

// conclude adds what follows from the count.
func (c *computation) conclude() error {
	c.due.Gap, c.due.Provisional, c.due.Reported = c.count.gap, c.count.gap != 0, c.count.heard
	c.due.Versions = c.count.used
	if c.due.State != Running {
		return nil
	}

	if c.due.Date <= 0 || c.due.Date > maxDate-2 {
		return errFar
	}
	c.due.TailExposed = !c.due.Provisional && c.count.exposed()
	c.due.Until = c.zone.End(c.due.Date)
	return nil
}
