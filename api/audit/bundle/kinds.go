package bundle

import (
	"strings"

	"consentledger/domain/policy"
)

// KindName returns what a kind of event is called in a language, with its code;
// a kind that has no name there is its code.
func KindName(lang, kind string) string {
	return wordingOf(lang).kind(kind)
}

// FieldWords returns what was written down with a fact, in a language.
func FieldWords(lang string, fields []policy.Field) string { return wordingOf(lang).written(fields) }

// ValueName returns what a field's value is called in a language; one that is none
// of a list is itself.
func ValueName(lang, field, value string) string {
	return wordingOf(lang).value(policy.Field{Name: field, Value: value})
}

func wordingOf(lang string) wording {
	if strings.HasPrefix(lang, "zh") {
		return chinese
	}
	return english
}
