package domain

import (
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// HoldObligation asks to record that a legal hold stops what is to be deleted,
// or that it is over: then the clock goes on with what was left of it.
type HoldObligation struct {
	ID       string
	Released bool
}

func (HoldObligation) isCommand() {}

// checkHeld refuses the news that data were deleted which a legal hold keeps,
// unless it says that it knows: what happened is kept, and stands out.
func (s Subject) checkHeld(e Event, at deadline.Instant) error {
	n, ok := e.(Noted)
	if !ok || n.Kind != "data.deleted" || policy.FieldOf(n.Fields, "despite_hold") == "yes" {
		return nil
	}
	if slices.ContainsFunc(s.holds, func(h span) bool { return h.holds(at) }) {
		return refusal.At(refusal.OnHold, "data.despite_hold",
			`a legal hold keeps this person's data: they must not be deleted; if they were all the same, say despite_hold "yes"`)
	}
	return nil
}
