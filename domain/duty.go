package domain

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// OpenDuties asks to record what follows from a fact.
type OpenDuties struct {
	Cause  obligation.Cause
	Rule   policy.DutyRule
	Start  deadline.Instant
	Target []string // for duties of every system: who owes them; empty: the handler alone
	Rules  []deadline.Rule
	Policy content.Hash       // the version that has the rule
	Held   bool               // a legal hold keeps the data: the clocks stand still from their start
	Keeps  []policy.PurposeID // whose data stay, see [published.Policies.Kept]
}

// MeetObligation asks to record that what was owed was done. By a fact of the
// log, it was done when that fact says, which is the time of the command; else
// when somebody says so, by the later of the two times.
type MeetObligation struct {
	ID       string
	By       obligation.Cause
	Evidence content.Hash
}

// VoidObligation asks to record that nothing is owed any more.
type VoidObligation struct{ ID, Reason string }

// MoveObligations asks to compute the stream's open due dates again, since a
// calendar was published.
type MoveObligations struct{ Calendar ident.EventID }

// StartObligation asks to compute a due date from an earlier start: what the
// clock runs from happened sooner than was known. A later one is no news: a date
// that somebody was promised does not move away because of what arrives late.
type StartObligation struct {
	ID    string
	Start deadline.Instant
}

// WarnObligation asks to record that an obligation is at risk, or overdue. Of
// one whose due date has moved on since it is no news.
type WarnObligation struct {
	ID      string
	Until   deadline.Instant
	Overdue bool
}

func (OpenDuties) isCommand()      {}
func (MeetObligation) isCommand()  {}
func (VoidObligation) isCommand()  {}
func (MoveObligations) isCommand() {}
func (StartObligation) isCommand() {}
func (WarnObligation) isCommand()  {}

// Decide answers commands about obligations. At is when it happened, as its
// source says.
func (d Duties) Decide(cmd Command, ref Reference, at, recorded deadline.Instant) ([]Event, error) {
	if err := checkSender(ref.By, cmd); err != nil {
		return nil, err
	}

	switch cmd := cmd.(type) {
	case OpenDuties:
		return d.openDuties(cmd, ref)
	case MeetObligation:
		x, err := d.Open(cmd.ID)
		if err == nil {
			err = cmd.checkDate(x, at)
		}
		if err != nil {
			return nil, err
		}
		named := func(x obligation.Duty) bool { return x.ID == cmd.ID }
		return met(d.Meet(cmd.metAt(at, recorded), cmd.By, cmd.Evidence, named)), nil
	case VoidObligation:
		if _, err := d.Open(cmd.ID); err != nil {
			return nil, err
		}
		return one(ObligationVoided(cmd), reasoned(cmd.Reason))
	case MoveObligations:
		return moved(d.Recompute(cmd.Calendar, ref.Calendars))
	case StartObligation:
		return moved(d.StartSooner(cmd.ID, cmd.Start, ref.Calendars))
	case WarnObligation:
		return d.warn(cmd)
	case HoldObligation:
		return moved(d.Hold(cmd.ID, cmd.Released, min(at, recorded), ref.Calendars))
	}
	return nil, notTaken(cmd, ident.ObligationNoun, "this is not about an obligation")
}

func (d Duties) openDuties(cmd OpenDuties, ref Reference) ([]Event, error) {
	if slices.ContainsFunc(d.All(), func(x obligation.Duty) bool { return x.Cause.Event != cmd.Cause.Event }) {
		return nil, refusal.New(refusal.WrongStream, "these obligations follow from another fact")
	}

	targets := cmd.Target
	if cmd.Rule.Each == policy.DutyOnce {
		targets = []string{""}
	}

	var events []Event
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
		events = append(events, EventsOf(w, cmd.Cause)...)
	}
	return events, nil
}

// checkDate refuses that somebody says of what was owed that it was done before
// it was. What a notice announces comes after it.
func (m MeetObligation) checkDate(x obligation.Duty, at deadline.Instant) error {
	if m.By.Event != (ident.EventID{}) || x.Rule.Direction == deadline.Backward || at >= x.Due.Start {
		return nil
	}
	return refusal.At(refusal.IllegalMove, "time",
		"that is dated before it was owed, which it is since "+x.Due.Start.String())
}

// metAt returns the moment that counts. How late the ledger followed up on a
// fact makes nothing late.
func (m MeetObligation) metAt(at, recorded deadline.Instant) deadline.Instant {
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

func (d Duties) warn(cmd WarnObligation) ([]Event, error) {
	x, ok := d.Find(cmd.ID)
	switch {
	case !ok || x.State != obligation.StateOpen || x.Due.State != deadline.Running || x.Due.Until != cmd.Until:
		return nil, nil
	case x.Kind == policy.DutyKeep && cmd.Overdue:
		return []Event{ObligationMet{ID: cmd.ID, Met: cmd.Until}}, nil // kept for as long as it had to be
	case x.Kind == policy.DutyKeep:
		return nil, nil
	case cmd.Overdue && x.Overdue != cmd.Until:
		return []Event{ObligationOverdue{cmd.ID, cmd.Until}}, nil
	case !cmd.Overdue && x.AtRisk != cmd.Until && x.Overdue != cmd.Until:
		return []Event{ObligationAtRisk{cmd.ID, cmd.Until}}, nil
	}
	return nil, nil
}

// opened returns obligations that open as facts.
func opened(all []obligation.Opened, err error) ([]Event, error) {
	if err != nil {
		return nil, err
	}
	var events []Event
	for _, o := range all {
		events = append(events, ObligationOpened(o))
	}
	return events, nil
}

// moved returns due dates that moved as facts.
func moved(all []obligation.Moved, err error) ([]Event, error) {
	if err != nil {
		return nil, err
	}
	var events []Event
	for _, m := range all {
		events = append(events, ObligationMoved(m))
	}
	return events, nil
}

// met returns obligations that were met as facts.
func met(all []obligation.Met) []Event {
	var events []Event
	for _, m := range all {
		events = append(events, ObligationMet(m))
	}
	return events
}

// voided returns obligations that were voided as facts.
func voided(all []obligation.Voided) []Event {
	var events []Event
	for _, v := range all {
		events = append(events, ObligationVoided(v))
	}
	return events
}
