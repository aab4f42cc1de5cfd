package domain

// cessationNotified is the note that persons were told of the end.
const cessationNotified NoteKind = "cessation.notified"

// cease refuses to end a service before the notice that its policy promises
// has run (IX(III)).
func (s Service) cease(e ServiceCeased, ref Reference, at Instant) error {
	if err := reasoned(e.Reason); err != nil {
		return err
	}
	for _, v := range ref.Policies.inForce(at) {
		for _, r := range v.Document.DeadlineRules {
			if r.Result != ResultEarliestEffectiveDate || r.ClockStart != "CessationNoticeDelivered" {
				continue
			}
			if err := s.checkNotice(r, ref.Calendars, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkNotice refuses the end before the first day on which a rule allows it.
// The earliest notice counts: repeating it takes nothing back.
func (s Service) checkNotice(r DeadlineRule, calendars Calendars, at Instant) error {
	if len(s.notices) == 0 {
		return refuse(TooEarly, "persons must be told first that the service ends ("+r.Source+"): record cessation.notified, then wait")
	}
	due, err := Compute(r, s.notices[0], nil, false, calendars)
	if err != nil {
		return err
	}
	earliest := max(due.Earliest, due.SafeNotice)
	zone, err := ParseZone(r.TimeZone)
	if err != nil {
		return err
	}
	if today := zone.Date(at); today < earliest {
		return refuse(TooEarly, "the notice has not run ("+r.Source+"): the service may end on "+earliest.String()+" at the earliest")
	}
	return nil
}
