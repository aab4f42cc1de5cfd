package cases

import (
	"slices"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// An Incident is something that happened to personal data, or may have. The
// zero Incident was not reported. What is owed for it follows from its steps,
// as the policy's duties say; see [policy.DutyRule].
type Incident struct {
	At    deadline.Instant // when it was discovered
	Marks catalog.Marks
	Steps []catalog.Step
	State string // the last word of the step that made it stand so: "contained"

	taken []catalog.Taken
}

// Evolve returns i as it is after f.
func (i Incident) Evolve(f domain.Fact) Incident { return i.Fold(f, lists.Shared) }

// Fold is [Incident.Evolve] for a caller who owns as much of i as it says.
func (i Incident) Fold(f domain.Fact, own lists.Own) Incident {
	e, ok := f.Event.(domain.Stepped)
	if !ok {
		domain.MustBeIdle(f.Event, ident.IncidentNoun)
	}

	rule, _ := catalog.StepRuleOf(e.Kind)
	if i.At == 0 {
		i.At = f.Earlier()
	}

	if e.Late() {
		i.Marks = catalog.AfterLate(i.Marks, rule, f.Earlier(), i.taken)
	} else {
		i.Marks, i.State = i.Marks.After(rule), i.stateAfter(e.Kind)
	}

	i.Steps = lists.Add(own, i.Steps, e.Kind)
	i.taken = lists.Add(own, i.taken, catalog.Taken{Step: e.Kind, At: f.Earlier()})
	return i
}

// stateAfter returns how an incident stands after a step that was not late. One
// that is opened again stands as it did before anybody contained it.
func (i Incident) stateAfter(kind catalog.Step) string {
	switch kind {
	case "incident.suspected":
		return "suspected"
	case "incident.detected":
		return "detected"
	case "incident.contained":
		return "contained"
	case "incident.dismissed":
		return "dismissed"
	case "incident.closed":
		return "closed"
	case "incident.reopened":
		if slices.Contains(i.Steps, "incident.detected") {
			return "detected"
		}
		return "suspected"
	}
	return i.State
}

// The states of an incident: those in which something of it is to be done, in their order, and those in
// which nothing happens any more unless it is opened again.
var (
	openIncidents = []string{"suspected", "detected", "contained"}
	overIncidents = []string{"closed", "dismissed"}
)

// OpenIncidents returns the states of an incident while it is open.
func OpenIncidents() []string { return slices.Clone(openIncidents) }

// OverIncidents returns the states of an incident that is over.
func OverIncidents() []string { return slices.Clone(overIncidents) }

// Over reports whether nothing happens any more to the incident, unless it is opened again.
func (i Incident) Over() bool { return slices.Contains(overIncidents, i.State) }

// Decide answers cmd with the facts that it makes true. At is when it happened,
// as its source says; recorded is the ledger's time.
func (i Incident) Decide(cmd domain.Command, ref domain.Reference, at, recorded deadline.Instant) ([]domain.Event, error) {
	s, ok := cmd.(domain.TakeStep)
	if !ok {
		return nil, domain.NotTaken(cmd, ident.IncidentNoun, "this is not about an incident")
	}
	if err := domain.CheckSender(ref.By, cmd); err != nil {
		return nil, err
	}

	rule, err := catalog.CheckStep(s.Kind, s.Fields, catalog.Incident)
	if err != nil {
		return nil, err
	}

	if s.Details != "" {
		return nil, refusal.At(refusal.Malformed, "data.details",
			"an incident is about nobody in particular: there is nobody's vault to seal a text in")
	}

	if refusal := catalog.Allow(i.Marks, rule); refusal != nil {
		if !i.takesLate(rule, min(at, recorded)) {
			return nil, refusal
		}
		s.Fields = policy.WithField(s.Fields, catalog.LateField, "yes")
	}
	return []domain.Event{domain.Stepped(s)}, nil
}

// takesLate reports whether a step that is not legal any more is kept: it was
// legal when it happened, or tells what was done for what had happened. That it
// was found out, of what somebody found to be nothing, opens it again or is none.
func (i Incident) takesLate(r catalog.StepRule, at deadline.Instant) bool {
	dismissed := i.State == "dismissed"
	switch {
	case !r.CanBeLate(), dismissed && r.Opens(), len(i.Steps) == 0:
		return false
	case i.State == "closed" && r.Reports():
		return true
	}
	return catalog.Overtakes(i.taken, at) && catalog.Allow(catalog.MarksAt(nil, at, i.taken), r) == nil
}
