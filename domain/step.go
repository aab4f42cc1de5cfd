package domain

import (
	"slices"

	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/policy"
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

// Late reports whether the case had gone on, or was closed, when the step was
// recorded.
func (s Stepped) Late() bool { return s.Field(catalog.LateField) == "yes" }
