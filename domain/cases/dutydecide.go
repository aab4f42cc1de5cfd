package cases

import (
	"slices"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// Decide answers commands about obligations. At is when it happened, as its
// source says.
func (d Duties) Decide(cmd domain.Command, ref domain.Reference, at, recorded deadline.Instant) ([]domain.Event, error) {
	if err := domain.CheckSender(ref.By, cmd); err != nil {
		return nil, err
	}

	switch cmd := cmd.(type) {
	case domain.OpenDuties:
		return d.openDuties(cmd, ref)
	case domain.MeetObligation:
		x, err := d.Open(cmd.ID)
		if err == nil {
			err = checkDate(cmd, x, at)
		}
		if err != nil {
			return nil, err
		}
		named := func(x obligation.Duty) bool { return x.ID == cmd.ID }
		return met(d.Meet(metAt(cmd, at, recorded), cmd.By, cmd.Evidence, named)), nil
	case domain.VoidObligation:
		if _, err := d.Open(cmd.ID); err != nil {
			return nil, err
		}
		if err := domain.CheckReason(cmd.Reason); err != nil {
			return nil, err
		}
		return []domain.Event{domain.ObligationVoided(cmd)}, nil
	case domain.MoveObligations:
		return moved(d.Recompute(cmd.Calendar, ref.Calendars))
	case domain.StartObligation:
		return moved(d.StartSooner(cmd.ID, cmd.Start, ref.Calendars))
	case domain.WarnObligation:
		return d.warn(cmd)
	case domain.HoldObligation:
		return moved(d.Hold(cmd.ID, cmd.Released, min(at, recorded), ref.Calendars))
	}
	return nil, domain.NotTaken(cmd, ident.ObligationNoun, "this is not about an obligation")
}

func (d Duties) openDuties(cmd domain.OpenDuties, ref domain.Reference) ([]domain.Event, error) {
	if slices.ContainsFunc(d.All(), func(x obligation.Duty) bool { return x.Cause.Event != cmd.Cause.Event }) {
		return nil, refusal.New(refusal.WrongStream, "these obligations follow from another fact")
	}

	targets := cmd.Target
	if cmd.Rule.Each == policy.DutyOnce {
		targets = []string{""}
	}

	var events []domain.Event
	for _, rule := range cmd.Rules {
		w := obligation.Owing{
			Kind: cmd.Rule.Kind, Rule: rule, Version: cmd.Policy, RuleSet: ref.Policies.RuleSet(cmd.Policy),
			MetBy: cmd.Rule.MetBy, Keeps: cmd.Keeps,
		}
		if err := w.Begin(cmd.Start, cmd.Held, ref.Calendars); err != nil {
			return nil, err
		}
		w.Targets = slices.DeleteFunc(slices.Clone(targets), func(target string) bool {
			_, there := d.Find(w.ID(target))
			return there
		})
		events = append(events, domain.EventsOf(w, cmd.Cause)...)
	}
	return events, nil
}

// checkDate refuses that somebody says of what was owed that it was done before
// it was. What a notice announces comes after it.
func checkDate(m domain.MeetObligation, x obligation.Duty, at deadline.Instant) error {
	if m.By.Event != (ident.EventID{}) || x.Rule.Direction == deadline.Backward || at >= x.Due.Start {
		return nil
	}
	return refusal.At(refusal.IllegalMove, "time",
		"that is dated before it was owed, which it is since "+x.Due.Start.String())
}

// metAt returns the moment that counts. How late the ledger followed up on a
// fact makes nothing late.
func metAt(m domain.MeetObligation, at, recorded deadline.Instant) deadline.Instant {
	if m.By.Event != (ident.EventID{}) {
		return min(at, recorded)
	}
	return doneAt(at, recorded, m.Evidence)
}

// doneAt returns the moment that counts for something that was owed: the later
// of its two times, unless there is evidence of its own.
func doneAt(at, recorded deadline.Instant, evidence content.Hash) deadline.Instant {
	if evidence != (content.Hash{}) {
		return min(at, recorded)
	}
	return max(at, recorded)
}

func (d Duties) warn(cmd domain.WarnObligation) ([]domain.Event, error) {
	x, ok := d.Find(cmd.ID)
	switch {
	case !ok || x.State != obligation.StateOpen || x.Due.State != deadline.Running || x.Due.Until != cmd.Until:
		return nil, nil
	case x.Kind == policy.DutyKeep && cmd.Overdue:
		return []domain.Event{domain.ObligationMet{ID: cmd.ID, Met: cmd.Until}}, nil // kept for as long as it had to be
	case x.Kind == policy.DutyKeep:
		return nil, nil
	case cmd.Overdue && x.Overdue != cmd.Until:
		return []domain.Event{domain.ObligationOverdue{ID: cmd.ID, Until: cmd.Until}}, nil
	case !cmd.Overdue && x.AtRisk != cmd.Until && x.Overdue != cmd.Until:
		return []domain.Event{domain.ObligationAtRisk{ID: cmd.ID, Until: cmd.Until}}, nil
	}
	return nil, nil
}

// opened returns obligations that open as facts.
func opened(all []obligation.Opened, err error) ([]domain.Event, error) {
	if err != nil {
		return nil, err
	}
	var events []domain.Event
	for _, o := range all {
		events = append(events, domain.ObligationOpened(o))
	}
	return events, nil
}

// moved returns due dates that moved as facts.
func moved(all []obligation.Moved, err error) ([]domain.Event, error) {
	if err != nil {
		return nil, err
	}
	var events []domain.Event
	for _, m := range all {
		events = append(events, domain.ObligationMoved(m))
	}
	return events, nil
}

// met returns obligations that were met as facts.
func met(all []obligation.Met) []domain.Event {
	var events []domain.Event
	for _, m := range all {
		events = append(events, domain.ObligationMet(m))
	}
	return events
}

// voided returns obligations that were voided as facts.
func voided(all []obligation.Voided) []domain.Event {
	var events []domain.Event
	for _, v := range all {
		events = append(events, domain.ObligationVoided(v))
	}
	return events
}
