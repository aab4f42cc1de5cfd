package domain

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
func (d DutyList) move(
	why MoveReason, by ident.EventID, calendars deadline.Calendars, pick func(*Duty, *clock) bool,
) ([]MovedObligation, error) {
	var moved []MovedObligation
	for _, x := range d.list {
		c := clock{x.Due.Start, slices.Clone(x.Pauses), x.Due.Extended}
		if x.State != DutyOpen || !pick(&x, &c) {
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
		moved = append(moved, MovedObligation{ID: x.ID, Why: why, By: by, Due: due, Was: x.Due, Pauses: c.pauses})
	}
	return moved, nil
}

// A clock is what a due date is computed from.
type clock struct {
	start    deadline.Instant
	pauses   []deadline.Pause
	extended bool
}

// start starts the clocks that wait for something to happen.
func (d DutyList) start(on string, at deadline.Instant, calendars deadline.Calendars) ([]MovedObligation, error) {
	return d.move(MovedStarted, ident.EventID{}, calendars, func(x *Duty, c *clock) bool {
		waits := c.start == 0 && x.Rule.ClockStart == on
		c.start = at
		return waits
	})
}

// pause stops the clocks that a reason stops. A clock that stands goes on
// standing.
func (d DutyList) pause(reason string, at deadline.Instant, calendars deadline.Calendars) ([]MovedObligation, error) {
	return d.move(MovedPaused, ident.EventID{}, calendars, func(x *Duty, c *clock) bool {
		c.pauses = append(c.pauses, deadline.Pause{From: at, Reason: reason})
		return c.start != 0 && slices.Contains(x.Rule.Pause, reason)
	})
}

// resume lets the clocks go on that a reason stopped.
func (d DutyList) resume(reason string, at deadline.Instant, calendars deadline.Calendars) ([]MovedObligation, error) {
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

// extend gives the clocks that may be extended their longer period. What is
// extended after its first due date is extended too late.
func (d DutyList) extend(told deadline.Instant, calendars deadline.Calendars) ([]MovedObligation, error) {
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
		return nil, refusal.New(refusal.NotExtendable, "no rule of this request can be extended, or it was extended before")
	}
	return moved, nil
}

// meet returns that obligations were met, all of those that pick chooses.
func (d DutyList) meet(met deadline.Instant, by Cause, evidence content.Hash, pick func(Duty) bool) []MetObligation {
	var all []MetObligation
	for _, x := range d.list {
		if x.State == DutyOpen && pick(x) {
			all = append(all, MetObligation{ID: x.ID, Met: met, Late: !x.Due.InTime(met), By: by,
				Evidence: evidence})
		}
	}
	return all
}

// void returns that nothing is owed any more of what is open.
func (d DutyList) void(reason string) []VoidedObligation {
	var all []VoidedObligation
	for _, x := range d.list {
		if x.State == DutyOpen {
			all = append(all, VoidedObligation{x.ID, reason})
		}
	}
	return all
}

// startSooner computes a due date from an earlier start than was known.
func (d DutyList) startSooner(
	id string, start deadline.Instant, calendars deadline.Calendars,
) ([]MovedObligation, error) {
	return d.move(MovedStarted, ident.EventID{}, calendars, func(x *Duty, c *clock) bool {
		sooner := x.ID == id && start != 0 && (c.start == 0 || start < c.start)
		c.start = start
		return sooner
	})
}

// recompute computes the due dates again of the clocks that run, by a calendar that was
// published.
func (d DutyList) recompute(calendar ident.EventID, calendars deadline.Calendars) ([]MovedObligation, error) {
	return d.move(MovedCalendar, calendar, calendars, func(x *Duty, c *clock) bool { return c.start != 0 })
}

// resumeUnless lets the clocks go on, but for those that stand still for a reason that is
// awaited.
func (d DutyList) resumeUnless(
	awaited func(reason string) bool, at deadline.Instant, calendars deadline.Calendars,
) ([]MovedObligation, error) {
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

// hold stops or restarts the clock of one obligation. What is closed, stood
// still at that moment already, or was stopped after it, is no news: a command
// that comes again later does nothing.
func (d DutyList) hold(
	id string, released bool, at deadline.Instant, calendars deadline.Calendars,
) ([]MovedObligation, error) {
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
