package ident

import "consentledger/domain/internal/form"

// ParsePrincipal returns s, which names who did something in the clear: 1 to
// 128 of A-Z, a-z, 0-9 and "._~:/-", as in "ann" or "operator:ann". What looks
// like an e-mail address, a phone number or an identity-card number is refused:
// whoever may sign in has a name that says less. So is the ledger's own name.
func ParsePrincipal(s string) (string, error) { return form.ParsePrincipal(s) }

// HoldsPersonal reports whether text that is kept in the clear holds what looks
// like a mobile number, an identity-card number or an e-mail address. It does
// not find names: what has no number in it is for people to keep out.
func HoldsPersonal(text string) bool { return form.HoldsPersonal(text) }
