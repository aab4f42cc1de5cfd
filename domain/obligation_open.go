package domain

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
)

// obligationRules are several rules of one duty, which open together.
type obligationRules struct {
	kind    policy.DutyKind
	types   func(deadline.RuleID) []RequestType
	target  string
	rules   []deadline.Rule
	version content.Hash
	suffix  string
	ruleSet content.Hash
}

// open returns the obligations that open: one for every rule.
func (o obligationRules) open(
	start func(deadline.Rule) deadline.Instant, cause Cause, calendars deadline.Calendars,
) ([]OpenedObligation, error) {
	var opened []OpenedObligation
	for _, r := range o.rules {
		due, err := begin(r, start(r), calendars)
		if err != nil {
			return nil, err
		}
		x := Obligation{ID: o.id(r), Kind: o.kind, Target: o.target, Rule: r, Version: o.version, RuleSet: o.ruleSet}
		if o.types != nil {
			x.Types = o.types(r.ID)
		}
		opened = append(opened, OpenedObligation{x, due, cause})
	}
	return opened, nil
}

// begin returns what a rule comes to from a start; of one that gives no date, that
// its clock never runs.
func begin(r deadline.Rule, start deadline.Instant, calendars deadline.Calendars) (deadline.Due, error) {
	if r.ID.Undated() {
		return deadline.Due{Rule: r.ID, Unit: r.Unit, TimeZone: r.TimeZone}, nil
	}
	return deadline.Compute(r, start, nil, false, calendars)
}

func (o obligationRules) id(r deadline.Rule) string {
	id := string(o.kind)
	if o.target != "" {
		id += "." + o.target
	}
	return id + "." + string(r.ID) + o.suffix
}

// An Owing is what is owed by one rule since a fact, by each of its targets: the
// obligations of a record that says itself what follows from it.
type Owing struct {
	Kind    policy.DutyKind
	Rule    deadline.Rule
	Version content.Hash
	RuleSet content.Hash
	MetBy   []string
	Keeps   []policy.PurposeID
	Targets []string // the handler has the empty name
	Due     deadline.Due
	Held    *Stopped // nil: no legal hold keeps the data
}

// Stopped is how a clock stands that a legal hold stopped when it began.
type Stopped struct {
	Due    deadline.Due
	Pauses []deadline.Pause
}

// Obligations returns the owing as obligations that follow from a cause, and those of
// which the clock moved at once.
func (w Owing) Obligations(cause Cause) (opened []OpenedObligation, moved []MovedObligation) {
	for _, target := range w.Targets {
		id := w.id(target)
		o := Obligation{ID: id, Kind: w.Kind, Target: target, Rule: w.Rule, Version: w.Version, MetBy: w.MetBy,
			RuleSet: w.RuleSet, Keeps: w.Keeps}
		opened = append(opened, OpenedObligation{o, w.Due, cause})
		if w.Held != nil {
			moved = append(moved, MovedObligation{ID: id, Why: MovedPaused, Due: w.Held.Due, Was: w.Due,
				Pauses: w.Held.Pauses})
		}
	}
	return opened, moved
}

func (w Owing) id(target string) string {
	return obligationRules{kind: w.Kind, target: target}.id(w.Rule)
}

// begin computes by when it is owed, from a start. Under a legal hold the clock stands
// still from there on: the data were held before there was anything to delete.
func (w *Owing) begin(start deadline.Instant, held bool, calendars deadline.Calendars) error {
	var err error
	if w.Due, err = begin(w.Rule, start, calendars); err != nil || !held || w.Due.Start == 0 {
		return err
	}
	duties := DutyList{[]Duty{{Obligation: Obligation{Rule: w.Rule}, Due: w.Due}}}
	moved, err := duties.hold("", false, w.Due.Start, calendars)
	if err != nil || len(moved) == 0 {
		return err
	}
	w.Held = &Stopped{moved[0].Due, moved[0].Pauses}
	return nil
}

// restore opens a duty that was voided at a moment, under an id with a suffix and for some
// of its types, as if it had not been voided: its clock began when it began, and stood
// still no longer than until then.
func (x Duty) restore(
	suffix string, types []RequestType, voided deadline.Instant, calendars deadline.Calendars,
) (OpenedObligation, []MovedObligation, error) {
	again := x
	again.ID = obligationRules{kind: x.Kind, target: x.Target, suffix: suffix}.id(x.Rule)
	again.Types, again.State, again.Pauses = types, DutyOpen, nil
	if x.Due.Start != 0 {
		var err error
		if again.Due, err = deadline.Compute(x.Rule, x.Due.Start, nil, x.Due.Extended, calendars); err != nil {
			return OpenedObligation{}, nil, err
		}
	}

	opened := OpenedObligation{again.Obligation, again.Due, x.Cause}
	if len(x.Pauses) == 0 {
		return opened, nil, nil
	}
	moved, err := DutyList{[]Duty{again}}.move(MovedResumed, ident.EventID{}, calendars, func(_ *Duty, c *clock) bool {
		c.pauses = endedBy(x.Pauses, voided)
		return true
	})
	return opened, moved, err
}

// endedBy returns pauses of which those that were open ended at a moment.
func endedBy(pauses []deadline.Pause, at deadline.Instant) []deadline.Pause {
	pauses = slices.Clone(pauses)
	for i := range pauses {
		if pauses[i].To == 0 {
			pauses[i].To = max(at, pauses[i].From)
		}
	}
	return pauses
}
