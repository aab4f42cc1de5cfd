package register

import (
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// CheckDecision refuses to decide on an end that comes before the notice can
// have run which the policy promises, counted from today, or from when persons
// were told first. Whoever ends the service all the same says so: the decision
// is kept, and stands out by it.
//
// It takes the rules by which the policies promise a notice. So does [Register.CheckEnd].
func (r Register) CheckDecision(
	kind catalog.Note, fields []policy.Field, notice []deadline.Rule, calendars deadline.Calendars,
	at deadline.Instant,
) error {
	if kind != catalog.CessationDecided || policy.FieldOf(fields, "too_late") == "yes" {
		return nil
	}

	effective, err := deadline.ParseDate(policy.FieldOf(fields, "effective"))
	if err != nil {
		return refusal.At(refusal.Malformed, "data.effective", err.Error())
	}

	told := at
	if len(r.notices) > 0 {
		told = min(told, r.notices[0])
	}

	for _, rule := range notice {
		due, err := deadline.Compute(rule, told, nil, false, calendars)
		if err != nil {
			return err
		}
		if earliest := max(due.Earliest, due.SafeNotice); effective < earliest {
			return refusal.At(refusal.TooEarly, "data.effective",
				"the notice that is promised ("+rule.Source+") cannot run before that day: the service may end on "+
					earliest.String()+` at the earliest; to end it sooner all the same, say too_late "yes"`)
		}
	}
	return nil
}

// CheckEnd refuses to end a service before the notice that its policy promises has run
// (IX(III)), in the app's time zone.
func (r Register) CheckEnd(
	notice []deadline.Rule, calendars deadline.Calendars, timeZone string, at deadline.Instant,
) error {
	for _, rule := range notice {
		if err := r.checkNotice(rule, calendars, at); err != nil {
			return err
		}
	}
	return r.checkDecided(timeZone, at)
}

// checkDecided refuses the end before the day that was decided and told: persons
// rely on it. Deciding anew moves it.
func (r Register) checkDecided(timeZone string, at deadline.Instant) error {
	if r.decided == 0 {
		return nil
	}
	zone, err := deadline.ParseZone(timeZone)
	if err != nil {
		return err
	}
	if zone.Date(at) < r.decided {
		return refusal.New(refusal.TooEarly,
			"it was decided that the service ends on "+r.decided.String()+
				": to end it sooner, decide on another day, see consentledger service decide")
	}
	return nil
}

// checkNotice refuses the end before the first day on which a rule allows it.
// The earliest notice counts: repeating it takes nothing back.
func (r Register) checkNotice(rule deadline.Rule, calendars deadline.Calendars, at deadline.Instant) error {
	if len(r.notices) == 0 {
		return refusal.New(refusal.TooEarly,
			"persons must be told first that the service ends ("+rule.Source+"): record cessation.notified, then wait")
	}

	due, err := deadline.Compute(rule, r.notices[0], nil, false, calendars)
	if err != nil {
		return err
	}

	earliest := max(due.Earliest, due.SafeNotice)
	zone, err := deadline.ParseZone(rule.TimeZone)
	if err != nil {
		return err
	}
	if today := zone.Date(at); today < earliest {
		return refusal.New(refusal.TooEarly,
			"the notice has not run ("+rule.Source+"): the service may end on "+earliest.String()+" at the earliest")
	}
	return nil
}
