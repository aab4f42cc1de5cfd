package domain

// What the ledger says of who may do what, beside keys: which roles a group of an identity
// provider or a certificate has from now on, that somebody asked who a principal is, and
// that the name of one was erased. Names stand in none of them.
const (
	RolesChanged    NoteKind = "roles.changed"
	PrincipalNamed  NoteKind = "principal.named"
	PrincipalErased NoteKind = "principal.erased"
)

var principalRules = []NoteRule{
	ofItself(RolesChanged, "a group of an identity provider or a certificate has these roles from now on; none: it has none any more", "PIPL 51(4), 51(2)", "holder", "roles,"),
	ofItself(PrincipalNamed, "somebody asked whose pseudonym a principal is", "PIPL 51(4)", "principal", "by"),
	ofItself(PrincipalErased, "the name of a principal was erased: their pseudonym is nobody's any more", "PIPL 47", "principal", "by"),
}
