package cases

import (
	"slices"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

// NextSteps returns the steps that are possible now. A step that only a rule takes, and
// one for which the policy has no ground to name, is none of them.
//
// What a step says can still refuse it: that the same person approved and records a
// rejection, for one. Steps that happened before a later one are not among them.
func (r Request) NextSteps(ref domain.Reference, at deadline.Instant) []catalog.NextStep {
	var all []catalog.NextStep
	for _, rule := range catalog.StepRules {
		if rule.Of != catalog.Request || rule.Found || r.At == 0 || catalog.Allow(r.Marks, rule) != nil {
			continue
		}
		if next, possible := r.next(rule, ref, at); possible {
			all = append(all, next)
		}
	}
	return all
}

// next returns a step that the marks allow, and whether all that it must name is there.
func (r Request) next(rule catalog.StepRule, ref domain.Reference, at deadline.Instant) (catalog.NextStep, bool) {
	next := catalog.NextStep{StepRule: rule, Reasoned: rule.Kind == "request.rejected",
		Sealed: r.Received.Subject != ""}
	if rule.Kind == "request.extended" {
		// The earliest moment at which anybody can have been told says whether there is
		// something to extend at all.
		if _, err := r.Duties.Extend(r.At, ref.Calendars); err != nil {
			return next, false
		}
		_, late := r.Duties.Extend(at, ref.Calendars)
		next.Letter = late != nil
	}

	if rule.Kind == "request.answered" && len(r.repliable(rule, ref)) == 0 {
		return next, false // until it is known who asks
	}

	for _, f := range rule.Fields {
		field, listed := r.nextField(f, rule, ref, at)
		switch {
		case listed && len(field.Options) == 0 && f.Required:
			return next, false
		case listed && len(field.Options) == 0:
			continue
		}
		next.Ask = append(next.Ask, field)
	}
	return next, true
}

// nextField returns what a field may say, and whether a list decides it.
func (r Request) nextField(
	f catalog.FieldRule, rule catalog.StepRule, ref domain.Reference, at deadline.Instant,
) (field catalog.NextField, listed bool) {
	field.FieldRule = f
	switch {
	case f.Name == "elements":
		field.Several = true
		field.Options = catalog.OptionsOf(r.elements(ref))
	case f.Name == "codes":
		field.Several = true
		field.Options = catalog.OptionsOf(r.list(ref, func(d policy.Document) []policy.Ground { return d.Rejections }))
	case f.Name == "types":
		// One type alone is what the step is about anyway.
		field.Several = true
		left := r.left()
		can := r.repliable(rule, ref)
		field.Required = len(can) < len(left)
		if len(left) > 1 {
			for _, t := range can {
				field.Options = append(field.Options, catalog.Option{Code: t.String()})
			}
		}
	case f.Name == "channel":
		field.Options = r.channels(ref)
	case f.Name == "amount" && rule.Kind == "fee.paid":
		field.Options = []catalog.Option{{Code: r.fee}}
	case f.Name == "remedies_told":
		field.Options = []catalog.Option{{Code: "yes"}}
	case f.Form == catalog.FormReason:
		field.Options = r.pausable(ref, at)
	case f.Form == catalog.FormYes:
		field.Options = catalog.YesOrNo
	case f.Form == catalog.FormChoice:
		field.Options = catalog.ChoicesOf(f)
	default:
		return field, false
	}
	return field, true
}

// repliable returns what is not answered and the step can reply to: an answer only to
// what may be handed over.
func (r Request) repliable(rule catalog.StepRule, ref domain.Reference) []request.Type {
	left := r.left()
	if rule.Kind != "request.answered" {
		return left
	}
	return slices.DeleteFunc(slices.Clone(left), func(t request.Type) bool { return !r.answerable(t, ref) })
}

// channels returns by which ways the person can be answered: the policy's, and the one
// by which the request came.
func (r Request) channels(ref domain.Reference) []catalog.Option {
	came := catalog.Option{Code: string(r.Received.Channel)}
	v, _ := ref.Policies.Version(r.Received.Version)
	var all []catalog.Option
	for _, c := range v.Document.Channels {
		all = append(all, catalog.Option{Code: string(c.ID), Title: c.Title})
	}
	if !slices.ContainsFunc(all, func(o catalog.Option) bool { return o.Code == came.Code }) {
		all = append(all, came)
	}
	return all
}

// pausable returns the reasons for which a clock of the request can stand still now, but
// for those that have a step of their own.
func (r Request) pausable(ref domain.Reference, at deadline.Instant) []catalog.Option {
	var all []catalog.Option
	for _, d := range r.Duties.All() {
		for _, reason := range d.Rule.Pause {
			known := slices.ContainsFunc(all, func(o catalog.Option) bool { return o.Code == reason })
			if known || obligation.CheckPause(reason) != nil {
				continue
			}
			if moved, err := r.Duties.Pause(reason, at, ref.Calendars); err == nil && len(moved) > 0 {
				all = append(all, catalog.Option{Code: reason})
			}
		}
	}
	return all
}

// NextSteps returns the steps that are possible now, see [Request.NextSteps].
func (i Incident) NextSteps() []catalog.NextStep {
	var all []catalog.NextStep
	for _, rule := range catalog.StepRules {
		if rule.Of != catalog.Incident || i.At == 0 || catalog.Allow(i.Marks, rule) != nil {
			// The report to the authority and what is done for persons are told of an
			// incident that is over, too: what is owed is owed still.
			if i.State != "closed" || !rule.Reports() {
				continue
			}
		}
		all = append(all, catalog.NextOf(rule))
	}
	return all
}
