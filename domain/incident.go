package domain

// An Incident is something that happened to personal data, or may have. The
// zero Incident was not reported. What is owed for it follows from its steps,
// as the policy's duties say; see [DutyRule].
type Incident struct {
	At    Instant // when it was discovered
	Marks Marks
	Steps []StepKind
}

// Evolve returns i as it is after f.
func (i Incident) Evolve(f Fact) Incident { return i.Fold(f, Shared) }

// Fold is [Incident.Evolve] for a caller who owns as much of i as it says.
func (i Incident) Fold(f Fact, own Own) Incident {
	e, ok := f.Event.(Stepped)
	if !ok {
		unknownEvent(f.Event, "Incident")
	}
	rule, _ := StepRuleOf(e.Kind)
	if i.At == 0 {
		i.At = f.noFrom()
	}
	i.Marks, i.Steps = i.Marks.after(rule), add(own, i.Steps, e.Kind)
	return i
}

// Decide answers cmd with the facts that it makes true.
func (i Incident) Decide(cmd Command, ref Reference) ([]Event, error) {
	s, ok := cmd.(TakeStep)
	if !ok {
		return nil, refuse(WrongStream, "this is not about an incident")
	}
	if err := ref.By.checkDoor(cmd); err != nil {
		return nil, err
	}
	if _, err := i.Marks.check(s, IncidentNoun); err != nil {
		return nil, err
	}
	if s.Details != "" {
		return nil, refuseAt(Malformed, "data.details", "an incident is about nobody in particular: there is nobody's vault to seal a text in")
	}
	return []Event{Stepped(s)}, nil
}
