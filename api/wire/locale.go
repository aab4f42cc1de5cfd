package wire

import (
	"strings"

	"golang.org/x/text/language"
)

// IsLocale reports whether s is a language tag (BCP 47) of a language, script and
// region that exist. Private parts are no part of it: they could hold anything.
func IsLocale(s string) bool {
	const longest = 35
	if s == "" || len(s) > longest || strings.Contains(s, "_") {
		return false
	}
	tag, err := language.Parse(s)
	if err != nil || tag == language.Und {
		return false
	}
	_, private := tag.Extension('x')
	return !private
}
