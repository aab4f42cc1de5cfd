package form

import (
	"strings"
	"unicode/utf8"
)

// Ledger is the principal of what the ledger says of itself.
const Ledger = "ledger"

// ParsePrincipal is ident.ParsePrincipal.
func ParsePrincipal(s string) (string, error) {
	switch {
	case s == "" || len(s) > 128 || !IsOpaque(s, ":/"):
		return "", errPrincipal
	case s == Ledger:
		return "", errPrincipalTaken
	case HoldsPersonal(s):
		return "", errPrincipalPersonal
	}
	return s, nil
}

const (
	errPrincipal         = Error(`a principal is named by 1 to 128 of A-Z, a-z, 0-9 and "._~:/-", as in operator:ann: no spaces, no e-mail address`)
	errPrincipalTaken    = Error("a principal has a name of its own: this one is the ledger's")
	errPrincipalPersonal = Error("a principal's name must be opaque: this one holds what looks like a phone or " +
		"identity-card number")
)

// HoldsPersonal is ident.HoldsPersonal.
func HoldsPersonal(text string) bool {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .-_~", r) {
			return -1
		}
		return r
	}, text)
	for i := 0; i < len(plain); {
		n := i
		for n < len(plain) && plain[n] >= '0' && plain[n] <= '9' {
			n++
		}
		if n > i && (LooksPersonal(plain[i:n]) || n < len(plain) && LooksPersonal(plain[i:n+1])) {
			return true
		}
		i = n + 1
	}
	return holdsAddress(text)
}

// holdsAddress reports whether a text holds an "@" with a word right before it
// and a dot in the word right after it.
func holdsAddress(text string) bool {
	for word := range strings.FieldsSeq(text) {
		name, domain, at := strings.Cut(word, "@")
		if at && name != "" && strings.Contains(strings.TrimRight(domain, ".,;"), ".") {
			return true
		}
	}
	return false
}

// IsOpaque reports whether an id has letters, digits and separators alone, or
// some more.
func IsOpaque(id, more string) bool {
	for i := range len(id) {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && !separates(c) &&
			strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return true
}

func separates(c byte) bool { return c == '.' || c == '_' || c == '~' || c == '-' }

// LooksPersonal reports whether id has the form of a mobile number of the
// PRC or of an identity-card number, with or without separators.
func LooksPersonal(id string) bool {
	var room [18]byte // the longest form
	plain := room[:0]
	for i := range len(id) {
		c := id[i]
		switch {
		case separates(c):
			continue
		case c >= utf8.RuneSelf || len(plain) == cap(plain):
			return false
		}
		plain = append(plain, c)
	}

	switch len(plain) {
	case 11:
		return DigitsOnly(plain) && plain[0] == '1' && plain[1] >= '3'
	case 13:
		return DigitsOnly(plain) && string(plain[:3]) == "861"
	case 18:
		return DigitsOnly(plain[:17]) && isBirthDate(string(plain[6:14]))
	}
	return false
}

func isBirthDate(s string) bool {
	return (strings.HasPrefix(s, "19") || strings.HasPrefix(s, "20")) && s[4:6] >= "01" && s[4:6] <= "12" &&
		s[6:8] >= "01" && s[6:8] <= "31"
}
