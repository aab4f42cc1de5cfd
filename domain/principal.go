package domain

import (
	"strings"

	"consentledger/domain/internal/form"
)

// ParsePrincipal returns s, which names who did something in the clear: 1 to
// 128 of A-Z, a-z, 0-9 and "._~:/-", as in "ann" or "operator:ann". What looks
// like an e-mail address, a phone number or an identity-card number is refused:
// whoever may sign in has a name that says less. So is the ledger's own name.
func ParsePrincipal(s string) (string, error) {
	switch {
	case s == "" || len(s) > 128 || !isOpaque(s, ":/"):
		return "", errPrincipal
	case s == Ledger:
		return "", errPrincipalTaken
	case HoldsPersonal(s):
		return "", errPrincipalPersonal
	}
	return s, nil
}

const (
	errPrincipal         = form.Error(`a principal is named by 1 to 128 of A-Z, a-z, 0-9 and "._~:/-", as in operator:ann: no spaces, no e-mail address`)
	errPrincipalTaken    = form.Error("a principal has a name of its own: this one is the ledger's")
	errPrincipalPersonal = form.Error("a principal's name must be opaque: this one holds what looks like a phone or identity-card number")
)

// HoldsPersonal reports whether text that is kept in the clear holds what looks
// like a mobile number, an identity-card number or an e-mail address. It does
// not find names: what has no number in it is for people to keep out.
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
		if n > i && (looksPersonal(plain[i:n]) || n < len(plain) && looksPersonal(plain[i:n+1])) {
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
