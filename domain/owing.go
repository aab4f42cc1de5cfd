package domain

import (
	"slices"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
)

// An Occasion is a fact from which something may be owed: what it is called, and
// which purposes it is about. It has crossed if it was said in another history of
// the same person.
type Occasion struct {
	Kind    string
	Event   Event
	Scope   policy.Scope
	Crossed bool
}

// An Owed is a promise that binds on an occasion, by one of its rules: of which
// data, and whose data stay all the same.
type Owed struct {
	Promise
	Rule  deadline.Rule
	Scope policy.Scope
	Keeps []policy.PurposeID
}

// Owed returns what is owed to a person on an occasion by the policies that are in
// force at a moment, and whether they promise anything for it. In a history to which
// the fact crossed that is what is to be stopped and deleted, and nothing else. A rule
// that wants a number of persons is among them whatever the number is.
func (ref Reference) Owed(o Occasion, s Subject, at deadline.Instant) (owed []Owed, promised bool) {
	ordered := o.Kind
	if o.Crossed {
		ordered = "consent.withdrawn" // an order to erase one history is an opt-out to the others
	}

	kept := ref.Policies.Kept(ordered, saidOf(o.Event, o.Scope), at)
	ends := ref.Policies.Without(o.Scope, kept)
	promises := append(ref.Promises(s, o.Kind, Members(o.Event), at), ref.Retained(s, o.Kind, o.Scope, at)...)
	for _, p := range promises {
		scope, keeps := o.Scope, []policy.PurposeID(nil)
		ending := p.Duty.Kind == policy.DutyStop || p.Duty.Kind == policy.DutyDelete
		switch {
		case o.Crossed && !ending:
			continue
		case p.Purpose != "":
			scope = policy.Scope{Purposes: []policy.PurposeID{p.Purpose}}
		case ending && !ends.All && len(ends.Purposes) == 0:
			continue // no grant was taken away, or what goes on rests on none
		case ending:
			scope, keeps = ends, kept
		}
		for _, rule := range p.Rules {
			owed = append(owed, Owed{p, rule, scope, keeps})
		}
	}
	return owed, len(promises) > 0
}

// EventsOf returns an owing as facts about obligations, which follow from a cause.
func EventsOf(w obligation.Owing, cause obligation.Cause) []Event {
	opened, moved := w.Obligations(cause)
	var events []Event
	for _, o := range opened {
		events = append(events, ObligationOpened(o))
	}
	for _, m := range moved {
		events = append(events, ObligationMoved(m))
	}
	return events
}

// Owes returns what is owed since a fact that comes next in the history, and is
// called kind. The version that was in force when it happened binds; if that promised
// nothing, the one that was when the ledger took it: what comes late from before a
// promise is owed like the rest.
func (s Subject) Owes(f Fact, kind string, ref Reference) ([]obligation.Owing, error) {
	o := Occasion{Kind: kind, Event: f.Event, Scope: ScopeOf(f.Event)}
	held := slices.ContainsFunc(s.holds, func(h span) bool { return h.until == 0 })
	switch e := f.Event.(type) {
	case ConsentGiven:
		if ref.Policies.Reduced(f.Recorded) {
			s = s.Evolve(f) // it may agree to what is promised since
		}
	case PermissionRevoked:
		if len(e.Withdraws) == 0 {
			return nil, nil // it withdrew nothing
		}
	case ConsentRefused, RecordVoided, AgeRecorded:
		o.Scope = policy.Scope{Purposes: s.Ends(f)}
	case HoldPlaced:
		held = true
	case HoldReleased:
		held = false
	}

	owed, promised := ref.Owed(o, s, f.Earlier())
	at := f.Earlier()
	if !promised {
		at = f.Recorded
		owed, _ = ref.Owed(o, s, at)
	}
	var owings []obligation.Owing
	for _, x := range owed {
		same := func(w obligation.Owing) bool { return w.Kind == x.Duty.Kind && w.Rule.ID == x.Rule.ID }
		if !ref.Service.Register.Counts(x.Rule) || slices.ContainsFunc(owings, same) {
			continue
		}
		w := x.owing(ref, at)
		if err := w.Begin(StartsAt(x.Duty, f, x.Rule), held && w.Kind == policy.DutyDelete, ref.Calendars); err != nil {
			return nil, err
		}
		owings = append(owings, w)
	}
	return owings, nil
}

// owing returns what is owed, and by whom; by when is not computed yet.
func (x Owed) owing(ref Reference, at deadline.Instant) obligation.Owing {
	w := obligation.Owing{
		Kind: x.Duty.Kind, Rule: x.Rule, Version: x.Version, RuleSet: ref.Policies.RuleSet(x.Version),
		MetBy: x.Duty.MetBy, Keeps: x.Keeps,
		Targets: []string{""},
	}
	if x.Duty.Each == policy.DutyEachSystem {
		w.Targets = ref.Targets(x.Scope, at)
	}
	return w
}

// StartsAt returns when the clock of a rule of the duty starts, as far as the fact
// that opens it says so. A date that the fact should name and does not is none: what
// is owed has no date yet.
func StartsAt(d policy.DutyRule, f Fact, rule deadline.Rule) deadline.Instant {
	if d.Start == policy.StartOwn || d.Start == policy.StartStream || strings.Contains(d.Start, ".") {
		return f.Earlier()
	}
	date, err := deadline.ParseDate(policy.FieldOf(Members(f.Event), d.Start))
	zone, bad := deadline.ParseZone(rule.TimeZone)
	if err != nil || bad != nil {
		return 0
	}
	return zone.Midnight(date)
}

// Targets returns who has personal data for one of a scope's purposes at a moment, see
// [register.Register.Targets].
func (ref Reference) Targets(scope policy.Scope, at deadline.Instant) []string {
	p := ref.Policies
	return ref.Service.Register.Targets(p.Recipients(scope, at), p.Declared(at), scope)
}
