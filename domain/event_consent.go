package domain

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/surface"
)

// consentEvents are the rows of what a person says, and was shown.
var consentEvents = []EventRule{
	{Name: "consent.given", Event: ConsentGiven{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents | InReport | InFollowUps, purposes: ofItems},
	{Name: "consent.refused", Event: ConsentRefused{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents | InReport,
		purposes: names(func(e ConsentRefused) []policy.PurposeID { return e.Scope.Purposes })},
	{Name: "consent.withdrawn", Event: ConsentWithdrawn{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents | InRequests | InReport,
		purposes: names(func(e ConsentWithdrawn) []policy.PurposeID { return e.Scope.Purposes })},
	{Name: "consent.used", Event: ConsentUsed{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents, lasts: lastsAsUse},
	{Name: "consent.requested", Event: ConsentRequested{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents | InReport, Idle: true,
		purposes: names(func(e ConsentRequested) []policy.PurposeID { return e.Purposes })},
	{Name: "policy.acknowledged", Event: PolicyAcknowledged{}, Nouns: in(ident.SubjectNoun), By: ByApp},
	{Name: "notice.presented", Event: NoticePresented{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents},
	{Name: "permission.granted", Event: PermissionGranted{}, Nouns: in(ident.SubjectNoun), By: ByApp},
	{Name: "permission.denied", Event: PermissionDenied{}, Nouns: in(ident.SubjectNoun), By: ByApp, lasts: lastsOutside},
	{Name: "permission.revoked", Event: PermissionRevoked{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents | InRequests | InReport,
		purposes: names(func(e PermissionRevoked) []policy.PurposeID { return e.Withdraws })},
}

func ofItems(e Event, room []policy.PurposeID) []policy.PurposeID {
	for _, item := range e.(ConsentGiven).Items {
		room = append(room, item.Purpose)
	}
	return room
}

// ConsentGiven records a grant. Items say what it covers, and what it does not
// and why: what falls short is recorded and does not count.
type ConsentGiven struct {
	Policy  string
	Version content.Hash
	Locale  string
	Text    content.Hash // the text that was shown, zero if unknown
	Act     policy.ActID
	Kind    policy.ConsentKind
	Items   []Item
	Notice  ident.EventID    // the presentation it answers, zero if unknown
	Until   deadline.Instant // zero: until withdrawn
	Import  bool             // came later than a live event may

	FilteredBy string // of an import: the principal by whose list of erased persons it was filtered; empty: not said
	Details    Personal

	Build    string       // of the app; empty: not said
	Surface  content.Hash // zero: not known
	Control  surface.ControlID
	Initial  surface.State   // of the control, before the person touched it
	Once     bool            // the first use uses it up
	Guardian GuardianRef     // who gave it; empty: the person
	Proof    Proof           // of written and guardians' consent
	Signer   string          // whose signature over the event was verified; empty: none
	Confirms []ident.EventID // answers of a linked history that the person confirms
	Evidence Evidence
	Ends     []End // of purposes that end before the whole does
	Hindered []Hindered
}

// An End is when a grant ends for one of its purposes.
type End struct {
	Purpose policy.PurposeID
	Until   deadline.Instant
}

// A Proof is the document of a consent that needs one.
type Proof struct {
	Document  content.Hash
	Method    string // how it was checked, by a code
	CheckedBy string // a principal
}

// A GuardianRef names a guardian by the pseudonym of their own vault entry.
type GuardianRef string

// An Item is one purpose of a grant.
type Item struct {
	Purpose policy.PurposeID
	Short   Shortfall // empty: it counts
}

// A Hindered is a purpose of a grant that counts, and allowed nothing when it was
// recorded.
type Hindered struct {
	Purpose policy.PurposeID
	Why     Hindrance
}

// ConsentRefused records an opt-out to a question.
type ConsentRefused struct {
	Scope   policy.Scope
	Policy  string
	Version content.Hash
	Locale  string
	Act     policy.ActID
	Details Personal
	Notice  ident.EventID
	Build   string
	Surface content.Hash
	Control surface.ControlID
	Added   []policy.PurposeID // of the scope: those of which only what the version added is refused
	Initial surface.State      // of the control, before the person touched it

	Guardian GuardianRef   // who said it; empty: the person
	Unknown  string        // names in the opt-out that no policy declares, with commas: see [refusal.Quote]
	Rests    []policy.Rest // purposes of the scope that go on: they rest on something else than consent
	Signal   bool          // Act is a machine's signal, and no statement of the person
}

// ConsentWithdrawn records an opt-out after whatever was said before. It needs no
// grant before it and no reason.
type ConsentWithdrawn struct {
	Scope    policy.Scope
	Details  Personal
	Build    string
	Guardian GuardianRef   // who said it; empty: the person
	Unknown  string        // names in the opt-out that no policy declares, with commas: see [refusal.Quote]
	Rests    []policy.Rest // purposes of the scope that go on: they rest on something else than consent
	Act      policy.ActID  // how it was said; empty: not known
	Signal   bool          // Act is a machine's signal, and no statement of the person
}

// ConsentUsed records that single-use consents were used up.
type ConsentUsed struct{ Consents []ident.EventID }

// ConsentRequested records that a person was asked.
type ConsentRequested struct {
	Purposes []policy.PurposeID
	Reason   string // a code, as in "policy-changed"
	TooSoon  bool   // within the quiet period after a refusal
	Locale   string
}

// PolicyAcknowledged records that a person says to have read a version. It is
// not consent.
type PolicyAcknowledged struct {
	Policy  string
	Version content.Hash
	Locale  string
	Act     policy.ActID
	Details Personal
}

// NoticePresented records that a text was on a person's screen.
type NoticePresented struct {
	Policy  string
	Version content.Hash
	Locale  string
	Text    content.Hash
	Kind    string // general, enhanced, just-in-time (GB/T 42574)
	Details Personal
	Surface content.Hash // zero: not known
	Build   string
	Read    Reading
}

// A Reading is what a person did with a text on the screen.
type Reading struct{ Scrolled, Opened bool }

// PermissionGranted records that the operating system lets the app do
// something. It never gives consent.
type PermissionGranted struct {
	Permission policy.PermissionID
	Details    Personal
}

// PermissionDenied records that the person said no to the operating system's
// question.
type PermissionDenied struct {
	Permission policy.PermissionID
	Details    Personal
}

// PermissionRevoked records that a permission was taken away. It withdraws
// consent for the purposes bound to the permission.
type PermissionRevoked struct {
	Permission policy.PermissionID
	Withdraws  []policy.PurposeID
	Details    Personal
	Rests      []policy.Rest // purposes that it withdraws and that go on: they rest on something else than consent
}

func (ConsentGiven) isEvent()       {}
func (ConsentRefused) isEvent()     {}
func (ConsentWithdrawn) isEvent()   {}
func (PolicyAcknowledged) isEvent() {}
func (NoticePresented) isEvent()    {}
func (PermissionGranted) isEvent()  {}
func (PermissionDenied) isEvent()   {}
func (PermissionRevoked) isEvent()  {}
func (ConsentUsed) isEvent()        {}
func (ConsentRequested) isEvent()   {}
