package catalog

import (
	"consentledger/domain/policy"
)

// A NextStep is a step that is possible of a case as it stands, with what each of its
// fields may say.
type NextStep struct {
	StepRule
	Ask []NextField // the rule's fields, but for those that have nothing to say now

	Reasoned bool // it takes the reasons in words, sealed for the person, or the letter as evidence
	Letter   bool // it takes evidence: without it the step comes too late
	Sealed   bool // it may have words that are sealed for the person
}

// A NextField is a field and, where a list decides what it may say, that list.
type NextField struct {
	FieldRule
	Options []Option // empty: whatever fits the form
	Several bool     // more than one option may be named, with commas between them
}

// An Option is a code and its title in the language of the policy; the title may be empty.
type Option struct{ Code, Title string }

// YesOrNo are the options of a field that says whether.
var YesOrNo = []Option{{Code: "yes"}, {Code: "no"}}

// NextOf returns a step that is possible, and may say whatever its rule says.
func NextOf(rule StepRule) NextStep {
	next := NextStep{StepRule: rule}
	for _, f := range rule.Fields {
		field := NextField{FieldRule: f}
		switch f.Form {
		case FormChoice:
			field.Options = ChoicesOf(f)
		case FormYes:
			field.Options = YesOrNo
		}
		next.Ask = append(next.Ask, field)
	}
	return next
}

// OptionsOf returns grounds as options.
func OptionsOf(list []policy.Ground) []Option {
	var all []Option
	for _, g := range list {
		all = append(all, Option{Code: g.Code, Title: g.Title})
	}
	return all
}

// ChoicesOf returns what a field may say of which a list decides.
func ChoicesOf(f FieldRule) []Option {
	var all []Option
	for _, c := range f.Choices {
		all = append(all, Option{Code: c})
	}
	return all
}
