package policy

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/internal/form"
)

// A PurposeID names what personal data is processed for.
type PurposeID string

// ParsePurposeID returns s as a PurposeID: 1 to 64 of a-z, 0-9 and "-".
func ParsePurposeID(s string) (PurposeID, error) {
	if !form.IsName(s, 64) {
		return "", form.Error(`a purpose is named by 1 to 64 of a-z, 0-9 and "-"`)
	}
	return PurposeID(s), nil
}

// What a document names, beside purposes and deadline rules. All are written like
// a purpose id.
type (
	CategoryID   string // a kind of personal data
	PermissionID string // a permission of the operating system
	ActID        string // something a person does: a click, a signature
	RightID      string // something a person may ask for
	ChannelID    string // a way to reach or be reached
	RecipientID  string // who gets personal data from the handler
)

// A Document is one version of a policy, as data: what it says about
// processing, about persons' rights and about its own deadlines. It says what
// the policy says, gaps and doubts included; it does not say that the policy
// is lawful. Sections are cited by their true number, not by their place.
type Document struct {
	Name         string // "privacy"
	Title        []LocalText
	Handler      Handler
	Jurisdiction string // "CN"
	TimeZone     string // "Asia/Shanghai"
	Over         string // the general policy that this specific one prevails over; empty: it is general
	QuietHours   int    // how long after a refusal nobody asks again; 0: [QuietPeriod]

	Purposes    []Purpose
	Categories  []Category
	Permissions []Permission
	Acts        []Act
	Recipients  []Recipient

	// Four lists that are never merged: a ground to process without consent is
	// no ground to provide without it, and neither is a ground to reject.
	ExemptionsCollect []Ground
	ExemptionsProvide []Ground
	Rejections        []Ground
	Disclosures       []Ground

	MaterialKinds    []Ground // of change
	Principles       []Ground
	Measures         []Ground // of protection, as claimed
	IncidentNotice   []Ground // what a notice of an incident tells
	IdentityElements []Ground

	Channels      []Channel
	Rights        []Right
	DeadlineRules []deadline.Rule
	Duties        []DutyRule
	Minors        Minors
	Texts         []Text
}

// A LocalText is a short text in one language.
type LocalText struct{ Locale, Text string }

// A Handler is who decides what is processed, and why. Any part may be empty:
// then the policy does not say.
type Handler struct{ Name, Address, Contact string }

// A Purpose is what personal data is processed for.
type Purpose struct {
	ID         PurposeID
	Title      string
	Section    string
	Codes      []string // of the policy's enumerations: "PUR-1", "CTX-UPDATE"
	Categories []CategoryID
	Actions    []Action
	Basis      LegalBasis

	Separate  bool // needs a consent of its own, bundled with nothing
	Sensitive bool // processes sensitive data
	Necessary bool // the service cannot be had without it
	Automated bool // decides about persons without a person

	LogChecks CheckLog // which answers to "may we?" are recorded

	Retention    string // the period or how it is found; empty: not said
	KeepMonths   int    // as data: so many months, or days, after a fact of the kind KeepAfter
	KeepDays     int
	KeepAfter    string // "consent.withdrawn", "subject.closed", "purpose.achieved"; empty: no period as data
	ConsentLasts int    // months; 0: until withdrawn
}

// A Category is a kind of personal data. What the policy calls sensitive and
// what the law calls sensitive differ, and both are kept.
type Category struct {
	ID                CategoryID
	Title             string
	Section           string
	SensitiveByPolicy bool
	SensitiveByLaw    bool
}

// A Recipient is somebody who gets personal data from the handler.
type Recipient struct {
	ID       RecipientID
	Title    string
	Section  string
	Purposes []PurposeID
	Abroad   bool
}

// A Permission is one that the operating system grants. It never gives
// consent; taken away, it withdraws for the purposes bound to it.
type Permission struct {
	ID        PermissionID
	Title     string
	Section   string
	Purposes  []PurposeID
	IfRefused string
}

// An Act is something a person does. Counts is the kind of consent the act
// can be; NoConsent, whatever the policy claims, for acts that are none. An act
// with one purpose stands for that purpose alone: it is a separate consent by
// itself. Without purposes the act says nothing of them.
type Act struct {
	ID       ActID
	Title    string
	Section  string
	Counts   ConsentKind
	Purposes []PurposeID
	Signal   bool // a machine says it, see [policy.Signals]
}

// A Ground is one entry of an enumeration, under a code that never changes.
type Ground struct {
	Code          string
	Title         string
	Section       string
	LawMapping    string // "PIPL-13(2)"; empty: none found
	Doubtful      bool   // the law does not clearly admit it
	Discretionary bool   // of rejections: ours to judge
}

// A Channel is a way by which persons reach us or we reach them.
type Channel struct {
	ID      ChannelID
	Title   string
	Section string
	Kind    ChannelKind
	Uses    []ChannelUse
}

// A Right is something a person may ask for. An empty Procedure means that
// the policy names the right and no way to use it. Every rule of Deadlines
// opens at once; the earliest binds.
type Right struct {
	ID        RightID
	Title     string
	Section   string
	Procedure string
	Deadlines []deadline.RuleID
	Channels  []string // a request that came by one of these, by id or kind, has the right too, whatever it asks for
}

// Minors says who is an adult and who is a child. An age below the bound is
// a child's. The policy's bound and the law's differ, and both are kept.
type Minors struct {
	AdultAge         int
	ChildBelowPolicy int
	ChildBelowLaw    int
	Rules            []Ground
}

// A Text is the policy as people read it, by the hash of its bytes.
type Text struct {
	Locale string
	Hash   content.Hash
	Force  TextForce
}

// Purpose returns the purpose with that id, and whether there is one.
func (d *Document) Purpose(id PurposeID) (Purpose, bool) {
	for _, p := range d.Purposes {
		if p.ID == id {
			return p, true
		}
	}
	return Purpose{}, false
}

// Act returns the act with that id, and whether there is one.
func (d *Document) Act(id ActID) (Act, bool) {
	for _, a := range d.Acts {
		if a.ID == id {
			return a, true
		}
	}
	return Act{}, false
}

// Permission returns the permission with that id, and whether there is one.
func (d *Document) Permission(id PermissionID) (Permission, bool) {
	for _, p := range d.Permissions {
		if p.ID == id {
			return p, true
		}
	}
	return Permission{}, false
}

// Recipient returns the recipient with that id, and whether there is one.
func (d *Document) Recipient(id RecipientID) (Recipient, bool) {
	for _, r := range d.Recipients {
		if r.ID == id {
			return r, true
		}
	}
	return Recipient{}, false
}

// PermissionPurposes returns the purposes bound to a permission: none for a
// permission that the document does not name.
func (d *Document) PermissionPurposes(id PermissionID) []PurposeID {
	p, _ := d.Permission(id)
	return p.Purposes
}

// IsSensitive reports whether a category is sensitive by policy or by law.
func (d *Document) IsSensitive(id CategoryID) bool {
	for _, c := range d.Categories {
		if c.ID == id {
			return c.SensitiveByPolicy || c.SensitiveByLaw
		}
	}
	return false
}
