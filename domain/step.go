package domain

import (
	"fmt"
	"slices"

	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// Stepped records that a request or an incident moved on: plain, with the
// fields that its kind has, as [catalog.StepRules] says.
type Stepped struct {
	Kind     catalog.Step
	Fields   []policy.Field // sorted by name
	Evidence content.Hash
	Details  Personal // sealed for whom the request is of
}

func (Stepped) isEvent() {}

// Field returns the value of a field; empty if the step has none of that name.
func (s Stepped) Field(name string) string { return policy.FieldOf(s.Fields, name) }

// TakeStep asks to record a step.
type TakeStep Stepped

func (TakeStep) isCommand() {}

// Meets reports whether a fact may meet what is owed. A notice that lacks one
// of the things that it must say is recorded, and is no notice.
func Meets(e Event) bool {
	s, ok := e.(Stepped)
	if !ok {
		return true
	}
	rule, _ := catalog.StepRuleOf(s.Kind)
	return !slices.ContainsFunc(rule.Complete, func(field string) bool { return s.Field(field) != "yes" })
}

// checkShape refuses a step that is not as its rule says.
func checkShape(s TakeStep, of catalog.Case) (catalog.StepRule, error) {
	r, ok := catalog.StepRuleOf(s.Kind)
	if !ok || r.Of != of {
		return r, refusal.At(refusal.WrongStream, "type",
			"this is no step of "+article(of)+"; see consentledger schema list")
	}
	if err := checkFields(string(s.Kind), r.Fields, s.Fields); err != nil {
		return r, err
	}
	return r, checkPublic(r, s.Fields)
}

// allow refuses a step that is not legal as things stand.
func allow(m catalog.Marks, r catalog.StepRule) error {
	mark, refused := m.Refuse(r)
	if !refused {
		return nil
	}
	there := m.Has(mark)
	text := fmt.Sprintf("%s is not possible now: the %s %s", r.Kind, r.Of, mark.Says(there))
	if mark == catalog.Open && !there || mark == catalog.Closed && there {
		text += fmt.Sprintf("; if it happened before that, say when (time); if the %s goes on, record %s.reopened",
			r.Of, r.Of)
	}
	return refusal.New(refusal.IllegalMove, text)
}

// checkPublic refuses words that hold what looks personal: the fields of a step
// are kept in the clear, for ever.
func checkPublic(r catalog.StepRule, fields []policy.Field) error {
	for _, f := range fields {
		i := slices.IndexFunc(r.Fields, func(rule catalog.FieldRule) bool { return rule.Name == f.Name })
		switch form := r.Fields[i].Form; {
		case form != catalog.FormName && form != catalog.FormText && form != catalog.FormNames &&
			form != catalog.FormReason && form != catalog.FormCodes:
		case form == catalog.FormName && f.Name == "of": // an id of ours, which is random
		case ident.HoldsPersonal(f.Value):
			return refusal.At(refusal.Malformed, "data."+f.Name,
				"holds what looks like a phone number, an e-mail address or an identity-card number: this is kept in "+
					"the clear; leave it out, or seal it in details")
		}
	}
	return nil
}

func article(of catalog.Case) string {
	if of == catalog.Incident {
		return "an incident"
	}
	return "a " + string(of)
}
