// Package tag tells names of builds and languages from what is none. Such a name is
// kept in the clear.
package tag

import (
	"strings"

	"consentledger/domain/ident"

	"golang.org/x/text/language"
)

// IsBuild reports whether s may name a build of an app.
func IsBuild(s string) bool {
	return s != "" && len(s) <= 64 &&
		strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.+_-") == "" &&
		strings.ContainsAny(s, "0123456789") && !ident.HoldsPersonal(s)
}

// IsLocale reports whether s is a language tag (BCP 47) of a language, script and
// region that exist. Private parts are no part of it: they could hold anything.
func IsLocale(s string) bool {
	if s == "en" || s == "zh-CN" { // most are one of these
		return true
	}
	const longest = 35
	if s == "" || len(s) > longest || strings.Contains(s, "_") {
		return false
	}
	tag, err := language.Parse(s)
	if err != nil || tag == language.Und {
		return false
	}
	_, private := tag.Extension('x')
	return !private && !ident.HoldsPersonal(s)
}
