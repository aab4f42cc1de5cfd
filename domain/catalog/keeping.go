package catalog

// What keeps data although somebody asks to erase a person: legal holds on an app or on who
// made a request, and duties of law.
const (
	HoldDeclared Note = "hold.declared"
	HoldEnded    Note = "hold.ended"
	DutyDeclared Note = "duty.declared"
	DutyEnded    Note = "duty.ended"
)

// What a duty keeps: everything of a person, who is not erased while it runs, or the proof
// of what they agreed to, with which they are.
const (
	KeepsAll   = "everything"
	KeepsProof = "proof"
)
