package domain

// A By is who does something, as every record says it.
type By struct {
	Actor     Actor
	Principal string // who is authenticated; [Unauthenticated] until somebody is
	Signer    string // whose signature over what was sent was verified; empty: none
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

// anonymous reports whether nobody vouches for what was sent.
func (b By) anonymous() bool {
	return b.Signer == "" && (b.Principal == "" || b.Principal == Unauthenticated)
}
