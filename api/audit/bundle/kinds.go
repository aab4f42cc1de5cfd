package bundle

import "strings"

// KindName returns what a kind of event is called in a language, with its code;
// a kind that has no name there is its code.
func KindName(lang, kind string) string {
	if strings.HasPrefix(lang, "zh") {
		return chinese.kind(kind)
	}
	return english.kind(kind)
}
