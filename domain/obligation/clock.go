package obligation

import (
	"fmt"
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
)

// LegalHold is the reason for which the clocks of obligations to delete stand
// still while a hold keeps the data: whatever their rule says of pauses.
const LegalHold = "legal_hold"

// move computes the due dates of open obligations again, of those that pick
// chooses, and returns what moved.
func (d Duties) move(
	why MoveReason, by ident.EventID, calendars deadline.Calendars, pick func(*Duty, *clock) bool,
) ([]Moved, error) {
	var moved []Moved
	for _, x := range d.list {
		c := clock{x.Due.Start, slices.Clone(x.Pauses), x.Due.Extended}
		if x.State != StateOpen || !pick(&x, &c) {
			continue
		}
		rule := x.Rule
		if slices.ContainsFunc(c.pauses, func(p deadline.Pause) bool { return p.Reason == LegalHold }) {
			rule.Pause = append(slices.Clone(rule.Pause), LegalHold)
		}
		due, err := deadline.Compute(rule, c.start, c.pauses, c.extended, calendars)
		if err != nil {
			return nil, fmt.Errorf("obligation %s: %w", x.ID, err)
		}
		moved = append(moved, Moved{ID: x.ID, Why: why, By: by, Due: due, Was: x.Due, Pauses: c.pauses})
	}
	return moved, nil
}

// A clock is what a due date is computed from.
type clock struct {
	start    deadline.Instant
	pauses   []deadline.Pause
	extended bool
}

// Start starts the clocks that wait for something to happen.
func (d Duties) Start(on string, at deadline.Instant, calendars deadline.Calendars) ([]Moved, error) {
	return d.move(MovedStarted, ident.EventID{}, calendars, func(x *Duty, c *clock) bool {
		waits := c.start == 0 && x.Rule.ClockStart == on
		c.start = at
		return waits
	})
}

// Pause stops the clocks that a reason stops. A clock that stands goes on
// standing.
func (d Duties) Pause(reason string, at deadline.Instant, calendars deadline.Calendars) ([]Moved, error) {
	return d.move(MovedPaused, ident.EventID{}, calendars, func(x *Duty, c *clock) bool {
		c.pauses = append(c.pauses, deadline.Pause{From: at, Reason: reason})
		return c.start != 0 && slices.Contains(x.Rule.Pause, reason)
	})
}

// Resume lets the clocks go on that a reason stopped.
func (d Duties) Resume(reason string, at deadline.Instant, calendars deadline.Calendars) ([]Moved, error) {
	return d.move(MovedResumed, ident.EventID{}, calendars, func(_ *Duty, c *clock) bool {
		for i, p := range c.pauses {
			if p.To == 0 && p.Reason == reason {
				c.pauses[i].To = max(at, p.From)
				return true
			}
		}
		return false
	})
}

// Extend gives the clocks that may be extended their longer period. What is
// extended after its first due date is extended too late.
func (d Duties) Extend(told deadline.Instant, calendars deadline.Calendars) ([]Moved, error) {
	late := false
	moved, err := d.move(MovedExtended, ident.EventID{}, calendars, func(x *Duty, c *clock) bool {
		can := x.Rule.ExtendedLength != 0 && !c.extended
		late = late || can && !x.Due.InTime(told)
		c.extended = true
		return can
	})
	switch {
	case err != nil:
		return nil, err
	case late:
		return nil, refusal.New(refusal.TooLateToExtend,
			"the person must be told of an extension before the first due date, which is over: reply now; if they "+
				"were told in time, name the letter that shows it as evidence")
	case len(moved) == 0:
		return nil, refusal.New(refusal.NotExtendable,
			"no rule of this request can be extended, or it was extended before")
	}
	return moved, nil
}

// Meet returns that obligations were met, all of those that pick chooses.
func (d Duties) Meet(met deadline.Instant, by Cause, evidence content.Hash, pick func(Duty) bool) []Met {
	var all []Met
	for _, x := range d.list {
		if x.State == StateOpen && pick(x) {
			all = append(all, Met{ID: x.ID, Met: met, Late: !x.Due.InTime(met), By: by,
				Evidence: evidence})
		}
	}
	return all
}

// Void returns that nothing is owed any more of what is open.
func (d Duties) Void(reason string) []Voided {
	var all []Voided
	for _, x := range d.list {
		if x.State == StateOpen {
			all = append(all, Voided{x.ID, reason})
		}
	}
	return all
}

// StartSooner computes a due date from an earlier start than was known.
func (d Duties) StartSooner(
	id string, start deadline.Instant, calendars deadline.Calendars,
) ([]Moved, error) {
	return d.move(MovedStarted, ident.EventID{}, calendars, func(x *Duty, c *clock) bool {
		sooner := x.ID == id && start != 0 && (c.start == 0 || start < c.start)
		c.start = start
		return sooner
	})
}

// Recompute computes the due dates again of the clocks that run, by a calendar that was
// published.
func (d Duties) Recompute(calendar ident.EventID, calendars deadline.Calendars) ([]Moved, error) {
	return d.move(MovedCalendar, calendar, calendars, func(x *Duty, c *clock) bool { return c.start != 0 })
}

// ResumeUnless lets the clocks go on, but for those that stand still for a reason that is
// awaited.
func (d Duties) ResumeUnless(
	awaited func(reason string) bool, at deadline.Instant, calendars deadline.Calendars,
) ([]Moved, error) {
	return d.move(MovedResumed, ident.EventID{}, calendars, func(_ *Duty, c *clock) bool {
		resumed := false
		for i, p := range c.pauses {
			if p.To == 0 && !awaited(p.Reason) {
				c.pauses[i].To, resumed = max(at, p.From), true
			}
		}
		return resumed
	})
}

// Held reports whether a legal hold stops the obligation.
func (d Duty) Held() bool { return heldBy(d.Pauses) }

func heldBy(pauses []deadline.Pause) bool {
	return slices.ContainsFunc(pauses, func(p deadline.Pause) bool { return p.Reason == LegalHold && p.To == 0 })
}

// Hold stops or restarts the clock of one obligation. What is closed, stood
// still at that moment already, or was stopped after it, is no news: a command
// that comes again later does nothing.
func (d Duties) Hold(
	id string, released bool, at deadline.Instant, calendars deadline.Calendars,
) ([]Moved, error) {
	why := MovedPaused
	if released {
		why = MovedResumed
	}

	return d.move(why, ident.EventID{}, calendars, func(x *Duty, c *clock) bool {
		if x.ID != id {
			return false
		}
		for i, p := range c.pauses {
			if p.Reason != LegalHold || at < p.From || p.To != 0 && p.To <= at {
				continue
			}
			if released && p.To == 0 {
				c.pauses[i].To = at
				return true
			}
			return false
		}
		c.pauses = append(c.pauses, deadline.Pause{From: at, Reason: LegalHold})
		return !released
	})
}
