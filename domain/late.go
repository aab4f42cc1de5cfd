package domain

import (
	"cmp"
	"slices"

	"consentledger/domain/deadline"
)

// Steps arrive in any order: who works on a case records later what was done
// first, and a case may be closed by then. A step that is not legal any more, and
// was when it happened, is true all the same. It is kept, is marked as late, and
// undoes nothing that was said of the time after it.

// lateField is the field of a step that was kept although its case had gone on.
const lateField = "late"

// Late reports whether the case had gone on, or was closed, when the step was
// recorded.
func (s Stepped) Late() bool { return s.Field(lateField) == "yes" }

// A taken is a step that a case has, and when it happened.
type taken struct {
	kind StepKind
	at   deadline.Instant
}

// canBeLate reports whether a step is kept if it arrives after what came later.
// What begins or ends a request, or ends an incident, is not: which of two ends
// counts is for somebody to say, who opens the case again.
func (r StepRule) canBeLate() bool {
	ends := slices.Contains(r.Clears, "open") || r.Closes || r.Voids
	begins := slices.Contains(r.Sets, "open") && !r.Opens()
	return !ends && !begins
}

// reports reports whether a step only tells what was done for an incident. That
// may be done when it is over, too: what is owed is owed still.
func (r StepRule) reports() bool {
	return r.Noun == IncidentNoun && slices.Equal(r.Needs, []string{"open"}) && len(r.Sets)+len(r.Clears) == 0
}

// overtakes reports whether something that a case has happened after a moment.
func overtakes(steps []taken, moment deadline.Instant) bool {
	return slices.ContainsFunc(steps, func(s taken) bool { return s.at > moment })
}

// at returns the marks as they were at a moment, of a case that began with some.
func (m Marks) at(moment deadline.Instant, steps []taken) Marks {
	steps = slices.SortedStableFunc(slices.Values(steps), func(a, b taken) int { return cmp.Compare(a.at, b.at) })
	for _, s := range steps {
		if s.at > moment {
			break
		}
		rule, _ := StepRuleOf(s.kind)
		m = m.after(rule)
	}
	return m
}

// afterLate returns the marks as they are after a step that came late: it changes
// only what no step changed that happened later.
func (m Marks) afterLate(r StepRule, at deadline.Instant, steps []taken) Marks {
	later := func(mark string) bool {
		return slices.ContainsFunc(steps, func(s taken) bool {
			rule, _ := StepRuleOf(s.kind)
			return s.at >= at && (slices.Contains(rule.Sets, mark) || slices.Contains(rule.Clears, mark))
		})
	}
	r.Sets, r.Clears = without(r.Sets, later), without(r.Clears, later)
	return m.after(r)
}
