package catalog

import "slices"

// Marks are what is true of a request or an incident, in the words of [StepRules].
type Marks []Mark

// Has reports whether a mark is there.
func (m Marks) Has(mark Mark) bool { return slices.Contains(m, mark) }

// After returns the marks as they are after a step.
func (m Marks) After(r StepRule) Marks {
	out := slices.DeleteFunc(slices.Clone(m), func(mark Mark) bool { return slices.Contains(r.Clears, mark) })
	for _, mark := range r.Sets {
		if !out.Has(mark) {
			out = append(out, mark)
		}
	}
	return out
}

// Refuse returns the mark for which a step is not legal as things stand, because it is
// there or because it is not, and whether there is one.
func (m Marks) Refuse(r StepRule) (Mark, bool) {
	for _, mark := range r.Needs {
		if !m.Has(mark) {
			return mark, true
		}
	}
	for _, mark := range r.Lacks {
		if m.Has(mark) {
			return mark, true
		}
	}
	return "", false
}

// Names returns the marks as they are shown and kept; nil if there are none.
func (m Marks) Names() []string {
	var names []string
	for _, mark := range m {
		names = append(names, string(mark))
	}
	return names
}

var markSays = map[Mark][2]string{
	Open:               {"is closed, or was never opened", "is open already"},
	Closed:             {"is not closed", "is closed"},
	IdentityAsked:      {"was not asked for proof of identity", "was asked for proof of identity, which is awaited"},
	IdentityKnown:      {"is of somebody whose identity is not known", "is of somebody whose identity is known"},
	ClarificationAsked: {"was not asked to be made clear", "was asked to be made clear, which is awaited"},
	ClockPaused:        {"has no clock that was paused", "has a clock that was paused"},
	Repeated: {"does not repeat an earlier one: the first is free of charge",
		"was found to be repeated already"},
	Complaint: {"is no complaint: there are no facts to verify", "is a complaint"},
}

// Says says of a request or an incident that the mark is there, or is not.
func (m Mark) Says(there bool) string {
	says, known := markSays[m]
	switch {
	case known && there:
		return says[1]
	case known:
		return says[0]
	case there:
		return "is marked " + string(m) + " already"
	}
	return "is not marked " + string(m)
}
