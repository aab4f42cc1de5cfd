package catalog

// What keeps data although somebody asks to erase a person: legal holds on an app or on who
// made a request, and duties of law.
const (
	HoldDeclared Note = "hold.declared"
	HoldEnded    Note = "hold.ended"
	DutyDeclared Note = "duty.declared"
	DutyEnded    Note = "duty.ended"
)
