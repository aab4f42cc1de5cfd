package domain

import (
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// LegalHold is the reason for which the clocks of obligations to delete stand
// still while a hold keeps the data: whatever their rule says of pauses.
const LegalHold = "legal_hold"

// HoldObligation asks to record that a legal hold stops what is to be deleted,
// or that it is over: then the clock goes on with what was left of it.
type HoldObligation struct {
	ID       string
	Released bool
}

func (HoldObligation) isCommand() {}

// Held reports whether a legal hold stops the obligation.
func (d Duty) Held() bool { return heldBy(d.Pauses) }

func heldBy(pauses []deadline.Pause) bool {
	return slices.ContainsFunc(pauses, func(p deadline.Pause) bool { return p.Reason == LegalHold && p.To == 0 })
}

// hold stops or restarts the clock of one obligation. What is closed, stood
// still at that moment already, or was stopped after it, is no news: a command
// that comes again later does nothing.
func (d Duties) hold(cmd HoldObligation, at deadline.Instant, calendars deadline.Calendars) ([]Event, error) {
	why := MovedPaused
	if cmd.Released {
		why = MovedResumed
	}

	return d.move(why, EventID{}, calendars, func(x *Duty, c *clock) bool {
		if x.ID != cmd.ID {
			return false
		}
		for i, p := range c.pauses {
			if p.Reason != LegalHold || at < p.From || p.To != 0 && p.To <= at {
				continue
			}
			if cmd.Released && p.To == 0 {
				c.pauses[i].To = at
				return true
			}
			return false
		}
		c.pauses = append(c.pauses, deadline.Pause{From: at, Reason: LegalHold})
		return !cmd.Released
	})
}

// checkHeld refuses the news that data were deleted which a legal hold keeps,
// unless it says that it knows: what happened is kept, and stands out.
func (s Subject) checkHeld(e Event, at deadline.Instant) error {
	n, ok := e.(Noted)
	if !ok || n.Kind != "data.deleted" || policy.FieldOf(n.Fields, "despite_hold") == "yes" {
		return nil
	}
	if slices.ContainsFunc(s.holds, func(h span) bool { return h.holds(at) }) {
		return refuseAt(OnHold, "data.despite_hold",
			`a legal hold keeps this person's data: they must not be deleted; if they were all the same, say despite_hold "yes"`)
	}
	return nil
}
