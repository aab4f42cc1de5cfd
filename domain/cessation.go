package domain

import (
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// checkDecision refuses to decide on an end that comes before the notice can
// have run which the policy promises, counted from today, or from when persons
// were told first. Whoever ends the service all the same says so: the decision
// is kept, and stands out by it.
func (s Service) checkDecision(n Noted, ref Reference, at deadline.Instant) error {
	if n.Kind != catalog.CessationDecided || policy.FieldOf(n.Fields, "too_late") == "yes" {
		return nil
	}

	effective, err := deadline.ParseDate(policy.FieldOf(n.Fields, "effective"))
	if err != nil {
		return refusal.At(refusal.Malformed, "data.effective", err.Error())
	}

	told := at
	if len(s.notices) > 0 {
		told = min(told, s.notices[0])
	}

	for _, r := range ref.Policies.NoticeRules(at) {
		due, err := deadline.Compute(r, told, nil, false, ref.Calendars)
		if err != nil {
			return err
		}
		if earliest := max(due.Earliest, due.SafeNotice); effective < earliest {
			return refusal.At(refusal.TooEarly, "data.effective",
				"the notice that is promised ("+r.Source+") cannot run before that day: the service may end on "+earliest.String()+` at the earliest; to end it sooner all the same, say too_late "yes"`)
		}
	}
	return nil
}

// cease refuses to end a service before the notice that its policy promises
// has run (IX(III)).
func (s Service) cease(e ServiceCeased, ref Reference, at deadline.Instant) error {
	if err := reasoned(e.Reason); err != nil {
		return err
	}
	for _, r := range ref.Policies.NoticeRules(at) {
		if err := s.checkNotice(r, ref.Calendars, at); err != nil {
			return err
		}
	}
	return s.checkDecided(at)
}

// checkDecided refuses the end before the day that was decided and told: persons
// rely on it. Deciding anew moves it.
func (s Service) checkDecided(at deadline.Instant) error {
	if s.decided == 0 {
		return nil
	}
	zone, err := deadline.ParseZone(s.App.TimeZone)
	if err != nil {
		return err
	}
	if zone.Date(at) < s.decided {
		return refusal.New(refusal.TooEarly,
			"it was decided that the service ends on "+s.decided.String()+": to end it sooner, decide on another day, see consentledger service decide")
	}
	return nil
}

// checkNotice refuses the end before the first day on which a rule allows it.
// The earliest notice counts: repeating it takes nothing back.
func (s Service) checkNotice(r deadline.Rule, calendars deadline.Calendars, at deadline.Instant) error {
	if len(s.notices) == 0 {
		return refusal.New(refusal.TooEarly,
			"persons must be told first that the service ends ("+r.Source+"): record cessation.notified, then wait")
	}

	due, err := deadline.Compute(r, s.notices[0], nil, false, calendars)
	if err != nil {
		return err
	}

	earliest := max(due.Earliest, due.SafeNotice)
	zone, err := deadline.ParseZone(r.TimeZone)
	if err != nil {
		return err
	}
	if today := zone.Date(at); today < earliest {
		return refusal.New(refusal.TooEarly,
			"the notice has not run ("+r.Source+"): the service may end on "+earliest.String()+" at the earliest")
	}
	return nil
}
