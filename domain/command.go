package domain

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/surface"
)

// A Command is a wish to record something. Decide may refuse it.
//
//sumtype:decl
type Command interface{ isCommand() }

// RegisterApp asks to let an app record, or to change what is known about it.
// Members of App that are Unsaid stay as they are. The environment of an app that
// is registered changes only if the request Moves it: which consents count
// depends on it.
type RegisterApp struct {
	App    App
	Unsaid AppMembers
	Moves  bool
}

// PublishPolicy asks to publish a version. Version is the hash of the
// document's canonical form, which codec knows. A zero Effective means at once.
type PublishPolicy struct {
	Version   content.Hash
	Document  policy.Document
	Effective deadline.Instant
	Material  []string
	Stale     []policy.PurposeID
	Scopes    []policy.StaleScope
}

// PublishSurface asks to publish what a build of the app shows. ID is the hash
// of the surface's canonical form.
type PublishSurface struct {
	ID      content.Hash
	Surface surface.Surface
}

// Say asks to record an event as it is. Not every event may be said: what
// Decide computes has a command of its own.
type Say struct{ Event Event }

// GiveConsent asks to record a grant. Without purposes it means every purpose
// that the act can cover; a zero Version means the one in force.
type GiveConsent struct {
	Policy   string
	Version  content.Hash
	Locale   string
	Text     content.Hash
	Act      policy.ActID
	Kind     policy.ConsentKind // zero: what the act gives
	Purposes []policy.PurposeID
	Notice   ident.EventID
	Until    deadline.Instant
	Import   bool
	Details  Personal
	Build    string
	Control  surface.ControlID
	Initial  surface.State
	Once     bool
	Guardian GuardianRef
	Proof    Proof
	Confirms []ident.EventID

	FilteredBy string // of an import: the principal by whose list of erased persons it was filtered; empty: not said
}

// RefuseConsent asks to record an opt-out to a question. Without purposes it means
// those of the control that was used.
type RefuseConsent struct {
	Scope   policy.Scope
	Policy  string
	Version content.Hash
	Locale  string
	Act     policy.ActID
	Details Personal
	Notice  ident.EventID
	Build   string
	Control surface.ControlID
	Initial surface.State

	Guardian GuardianRef // empty: the person
}

// WithdrawConsent asks to record a withdrawal.
type WithdrawConsent struct {
	Scope    policy.Scope
	Details  Personal
	Build    string
	Guardian GuardianRef  // empty: the person
	Act      policy.ActID // empty: not known
}

// RequestConsent asks to record that a person was asked.
type RequestConsent struct {
	Purposes []policy.PurposeID
	Reason   string
	Locale   string
}

// AcknowledgePolicy asks to record that a version was read.
type AcknowledgePolicy struct {
	Policy  string
	Version content.Hash
	Locale  string
	Act     policy.ActID
	Details Personal
}

// PresentNotice asks to record what was on the screen.
type PresentNotice struct {
	Policy  string
	Version content.Hash
	Locale  string
	Text    content.Hash
	Kind    string
	Details Personal
	Surface content.Hash
	Build   string
	Read    Reading
}

// ChangePermission asks to record what the operating system said.
type ChangePermission struct {
	Permission policy.PermissionID
	Change     PermissionChange
	Details    Personal
}

// A PermissionChange is what became of an OS permission.
type PermissionChange uint8

const (
	Granted PermissionChange = iota + 1
	Denied
	Revoked
)

// VoidRecords asks to void facts of this stream.
type VoidRecords struct {
	Records  []ident.EventID
	Reason   string
	Evidence content.Hash
	By       [2]string
}

func (PublishSurface) isCommand()    {}
func (Say) isCommand()               {}
func (RequestConsent) isCommand()    {}
func (RegisterApp) isCommand()       {}
func (PublishPolicy) isCommand()     {}
func (GiveConsent) isCommand()       {}
func (RefuseConsent) isCommand()     {}
func (WithdrawConsent) isCommand()   {}
func (AcknowledgePolicy) isCommand() {}
func (PresentNotice) isCommand()     {}
func (ChangePermission) isCommand()  {}
func (VoidRecords) isCommand()       {}
