package obligation

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

// Rules are several rules of one duty, which open together.
type Rules struct {
	Kind    policy.DutyKind
	Types   func(deadline.RuleID) []request.Type
	Target  string
	Rules   []deadline.Rule
	Version content.Hash
	Suffix  string
	RuleSet content.Hash
}

// Open returns the obligations that open: one for every rule.
func (o Rules) Open(
	start func(deadline.Rule) deadline.Instant, cause Cause, calendars deadline.Calendars,
) ([]Opened, error) {
	var opened []Opened
	for _, r := range o.Rules {
		due, err := begin(r, start(r), calendars)
		if err != nil {
			return nil, err
		}
		x := Obligation{ID: o.id(r), Kind: o.Kind, Target: o.Target, Rule: r, Version: o.Version, RuleSet: o.RuleSet}
		if o.Types != nil {
			x.Types = o.Types(r.ID)
		}
		opened = append(opened, Opened{x, due, cause})
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

func (o Rules) id(r deadline.Rule) string {
	id := string(o.Kind)
	if o.Target != "" {
		id += "." + o.Target
	}
	return id + "." + string(r.ID) + o.Suffix
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
func (w Owing) Obligations(cause Cause) (opened []Opened, moved []Moved) {
	for _, target := range w.Targets {
		id := w.ID(target)
		o := Obligation{ID: id, Kind: w.Kind, Target: target, Rule: w.Rule, Version: w.Version, MetBy: w.MetBy,
			RuleSet: w.RuleSet, Keeps: w.Keeps}
		opened = append(opened, Opened{o, w.Due, cause})
		if w.Held != nil {
			moved = append(moved, Moved{ID: id, Why: MovedPaused, Due: w.Held.Due, Was: w.Due,
				Pauses: w.Held.Pauses})
		}
	}
	return opened, moved
}

func (w Owing) ID(target string) string {
	return Rules{Kind: w.Kind, Target: target}.id(w.Rule)
}

// Begin computes by when it is owed, from a start. Under a legal hold the clock stands
// still from there on: the data were held before there was anything to delete.
func (w *Owing) Begin(start deadline.Instant, held bool, calendars deadline.Calendars) error {
	var err error
	if w.Due, err = begin(w.Rule, start, calendars); err != nil || !held || w.Due.Start == 0 {
		return err
	}
	duties := Duties{[]Duty{{Obligation: Obligation{Rule: w.Rule}, Due: w.Due}}}
	moved, err := duties.Hold("", false, w.Due.Start, calendars)
	if err != nil || len(moved) == 0 {
		return err
	}
	w.Held = &Stopped{moved[0].Due, moved[0].Pauses}
	return nil
}

// Restore opens a duty that was voided at a moment, under an id with a suffix and for some
// of its types, as if it had not been voided: its clock began when it began, and stood
// still no longer than until then.
func (x Duty) Restore(
	suffix string, types []request.Type, voided deadline.Instant, calendars deadline.Calendars,
) (Opened, []Moved, error) {
	again := x
	again.ID = Rules{Kind: x.Kind, Target: x.Target, Suffix: suffix}.id(x.Rule)
	again.Types, again.State, again.Pauses = types, StateOpen, nil
	if x.Due.Start != 0 {
		var err error
		if again.Due, err = deadline.Compute(x.Rule, x.Due.Start, nil, x.Due.Extended, calendars); err != nil {
			return Opened{}, nil, err
		}
	}

	opened := Opened{again.Obligation, again.Due, x.Cause}
	if len(x.Pauses) == 0 {
		return opened, nil, nil
	}
	moved, err := Duties{[]Duty{again}}.move(MovedResumed, ident.EventID{}, calendars, func(_ *Duty, c *clock) bool {
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
