package policydoc

import (
	"reflect"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec/shape"
)

// Shape returns the type of a document as it is written, for package shape.
func Shape() reflect.Type { return reflect.TypeFor[documentV1]() }

// Fields returns the names that a document may have at a JSON pointer, in the
// order in which they are best written; none where it has no names.
func Fields(pointer string) []string { return shape.Fields(Shape(), pointer) }

// Choices returns the texts that a value of a type of the document may be written
// as; none for a type that is no enumeration.
func Choices(t reflect.Type) []string { return choices[t] }

var choices = map[reflect.Type][]string{
	reflect.TypeFor[policy.Action]():      shape.Choices(policy.ParseAction),
	reflect.TypeFor[policy.LegalBasis]():  shape.Choices(policy.ParseLegalBasis),
	reflect.TypeFor[policy.ConsentKind](): shape.Choices(policy.ParseConsentKind),
	reflect.TypeFor[policy.TextForce]():   shape.Choices(policy.ParseTextForce),
	reflect.TypeFor[policy.ChannelKind](): shape.Choices(policy.ParseChannelKind),
	reflect.TypeFor[policy.ChannelUse]():  shape.Choices(policy.ParseChannelUse),
	reflect.TypeFor[policy.DutyEach]():    shape.Choices(policy.ParseDutyEach),
	reflect.TypeFor[deadline.Unit]():      shape.Choices(deadline.ParseUnit),
	reflect.TypeFor[deadline.Direction](): shape.Choices(deadline.ParseDirection),
	reflect.TypeFor[deadline.Roll]():      shape.Choices(deadline.ParseRoll),
	reflect.TypeFor[deadline.Result]():    shape.Choices(deadline.ParseResult),
}

// Pattern returns the regular expression that a value of a type matches as a text;
// empty where none says it.
func Pattern(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[content.Hash]():
		return `^sha256:[0-9a-f]{64}$`
	case reflect.TypeFor[policy.CheckLog]():
		return `^(none|sampled|all|[1-9][0-9]{0,6} in [1-9][0-9]{0,6})$`
	case reflect.TypeFor[deadline.YearDay]():
		return `^[0-9]{2}-[0-9]{2}$`
	}
	return ""
}
