package ident

import "consentledger/domain/internal/form"

// A By is who does something, as every record says it.
type By struct {
	Actor     Actor
	Principal string // who is authenticated; [Unauthenticated] until somebody is
	Signer    string // whose signature over what was sent was verified; empty: none
	App       bool   // it came through an endpoint for apps
}

// An Actor is in what part somebody acts.
type Actor string

const (
	Person    Actor = "person"
	Guardian  Actor = "guardian"
	Operator  Actor = "operator"
	System    Actor = "system"
	Authority Actor = "authority"
)

// Unauthenticated is the principal of whoever is not known.
const Unauthenticated = "unauthenticated"

// Is reports whether b is who did something before, by the principal or by the
// key that signed it: a registered key is a principal too. Of whom nothing is
// authenticated, neither then nor now, nobody can tell.
func (b By) Is(principal, signer string) bool {
	known := b.Principal != "" && b.Principal != Unauthenticated
	return known && b.Principal == principal || b.Signer != "" && b.Signer == signer
}

// Ledger is the principal of what the ledger says of itself. No endpoint lets
// anybody in by that name, see [ParsePrincipal].
const Ledger = form.Ledger

// Anonymous reports whether nobody vouches for what was sent.
func (b By) Anonymous() bool {
	return b.Signer == "" && (b.Principal == "" || b.Principal == Unauthenticated)
}
