package catalog

import (
	"cmp"
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/lists"
)

// Steps arrive in any order: who works on a case records later what was done
// first, and a case may be closed by then. A step that is not legal any more, and
// was when it happened, is true all the same. It is kept, is marked as late, and
// undoes nothing that was said of the time after it.

// LateField is the field of a step that was kept although its case had gone on.
const LateField = "late"

// A Taken is a step that a case has, and when it happened.
type Taken struct {
	Step Step
	At   deadline.Instant
}

// Overtakes reports whether something that a case has happened after a moment.
func Overtakes(steps []Taken, moment deadline.Instant) bool {
	return slices.ContainsFunc(steps, func(s Taken) bool { return s.At > moment })
}

// MarksAt returns the marks as they were at a moment, of a case that began with some.
func MarksAt(m Marks, moment deadline.Instant, steps []Taken) Marks {
	steps = slices.SortedStableFunc(slices.Values(steps), func(a, b Taken) int { return cmp.Compare(a.At, b.At) })
	for _, s := range steps {
		if s.At > moment {
			break
		}
		rule, _ := StepRuleOf(s.Step)
		m = m.After(rule)
	}
	return m
}

// AfterLate returns the marks as they are after a step that came late: it changes
// only what no step changed that happened later.
func AfterLate(m Marks, r StepRule, at deadline.Instant, steps []Taken) Marks {
	later := func(mark Mark) bool {
		return slices.ContainsFunc(steps, func(s Taken) bool {
			rule, _ := StepRuleOf(s.Step)
			return s.At >= at && (slices.Contains(rule.Sets, mark) || slices.Contains(rule.Clears, mark))
		})
	}
	r.Sets, r.Clears = lists.Without(r.Sets, later), lists.Without(r.Clears, later)
	return m.After(r)
}
