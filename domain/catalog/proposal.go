package catalog

// What the ledger says of what takes two persons: it is proposed by one principal and
// decided on by another. No transport takes these kinds.
const (
	ProposalMade      Note = "proposal.made"
	ProposalApproved  Note = "proposal.approved"
	ProposalDeclined  Note = "proposal.declined"
	ProposalWithdrawn Note = "proposal.withdrawn"
	ProposalLapsed    Note = "proposal.lapsed"
	ProposalDone      Note = "proposal.done"
)

// What it says of who may do what, beside keys: which roles a group of an identity
// provider or a certificate has from now on, that somebody asked who a principal is, and
// that the name of one was erased. Names stand in none of them.
const (
	RolesChanged    Note = "roles.changed"
	PrincipalNamed  Note = "principal.named"
	PrincipalErased Note = "principal.erased"
)

// IsProposal reports whether a kind is one of proposals.
func IsProposal(k Note) bool {
	for _, r := range proposalRules {
		if r.Kind == k {
			return true
		}
	}
	return false
}

const proposalSource = "PIPL 51(1), 51(2): operating rules, and rights of operation"

// proposalRules are the rules of the kinds above. "by" is the pseudonym of a principal.
var proposalRules = []NoteRule{
	proposalRule(ProposalMade, "somebody proposed what takes two persons",
		field(FormText, "command"), field(FormName, "digest"),
		field(FormName, "basis"), field(FormTime, "until"),
		field(FormPrincipal, "by"), field(FormText, "reason"),
		optional(field(FormName, "subject"))),
	proposalRule(ProposalApproved, "another principal approved a proposal",
		field(FormPrincipal, "by"), optional(field(FormText, "reason"))),
	proposalRule(ProposalDeclined, "another principal declined a proposal",
		field(FormPrincipal, "by"), field(FormText, "reason")),
	proposalRule(ProposalWithdrawn, "who made a proposal took it back",
		field(FormPrincipal, "by"), optional(field(FormText, "reason"))),
	proposalRule(ProposalLapsed, "what a proposal was about has changed, so that it must be proposed anew",
		field(FormName, "why")),
	proposalRule(ProposalDone, "what was proposed and approved was recorded",
		field(FormRecord, "record")),
}

func proposalRule(kind Note, says string, fields ...FieldRule) NoteRule {
	id := field(FormName, "proposal")
	return NoteRule{Kind: kind, Own: true, Says: says, Source: proposalSource,
		Fields: append([]FieldRule{id}, fields...)}
}

var principalRules = []NoteRule{
	{
		Kind: RolesChanged, Own: true, Source: "PIPL 51(4), 51(2)",
		Says: "a group of an identity provider or a certificate has these roles from now on; none: it has none any " +
			"more",
		Fields: []FieldRule{name("holder"), optional(names("roles"))},
	},
	{
		Kind: PrincipalNamed, Own: true, Source: "PIPL 51(4)",
		Says:   "somebody asked whose pseudonym a principal is",
		Fields: []FieldRule{name("principal"), optional(name("by"))},
	},
	{
		Kind: PrincipalErased, Own: true, Source: "PIPL 47",
		Says:   "the name of a principal was erased: their pseudonym is nobody's any more",
		Fields: []FieldRule{name("principal"), optional(name("by"))},
	},
}
