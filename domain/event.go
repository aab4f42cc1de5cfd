package domain

import "fmt"

// An Event is what happened. Facts are past tense and are never changed. To
// add one: add a type here, a case in the Evolve of its noun, a row in codec.
//
//sumtype:decl
type Event interface{ isEvent() }

// unknownEvent says that an Evolve lacks a case: a mistake in this program.
func unknownEvent(e Event, noun string) {
	panic(fmt.Sprintf("domain: event %T has no case in %s.Evolve", e, noun))
}

// A Fact is an event as the ledger took it.
type Fact struct {
	ID       EventID
	At       Instant // when it happened, as its source says; for a no never after Recorded
	Recorded Instant // when the ledger took it
	Claimed  Instant // what a no said before it was clamped to Recorded; else zero
	Source   Source  // who numbered it; zero: nobody
	Sequence uint64  // the source's own number, zero if it gave none
	Event    Event
}

// A Source is a keyed digest of the name of whoever sent an event: good for
// "the same as before", for nothing else.
type Source [8]byte

// AppRegistered records that an app may record from now on, or that what is
// known about it changed.
type AppRegistered struct{ App App }

// SignerRegistered records a key by which a back end or a device signs what it
// sends. Registering a name again replaces its key; Retired ends it.
type SignerRegistered struct {
	Name    string
	Key     [32]byte // Ed25519
	Device  bool
	Retired bool
}

// ServiceCeased records that the app's service is over: nothing is processed.
type ServiceCeased struct{ Reason string }

// BuildVoided records that every answer that a build of the app recorded in a
// span of the ledger's time was a mistake. It touches no stream: it is joined
// when an answer is read. See [RecordVoided] for what it does.
type BuildVoided struct {
	Build    string
	From, To Instant // of Recorded; To is not included
	Reason   string
	Evidence Hash
	By       [2]string
}

// BuildDisputed records that somebody says that the answers that a build of the
// app recorded in a span of the ledger's time are wrong. They stand until they
// are voided. Like [BuildVoided] it is joined when an answer is read.
type BuildDisputed struct {
	Build    string
	From, To Instant // of Recorded; To is not included
	Reason   string
	Evidence Hash
}

// PolicyPublished records a version of a policy, whole.
type PolicyPublished struct {
	Version       Hash // of the document's canonical form
	Document      Document
	Effective     Instant      // when it binds
	Material      []string     // the kinds of material change that the publisher declares
	Stale         []PurposeID  // purposes whose earlier consents must be asked for again, whole
	Scopes        []StaleScope // methods and categories that earlier consents do not cover
	RightsReduced bool         // who does not agree explicitly keeps the older promises
	Later         []Overtaking // what versions that were published before and take over later change of this one
}

// An Overtaking is what a version changes of another than the one that it was
// compared with when it was published.
type Overtaking struct {
	Version       Hash // the one that takes over
	Stale         []PurposeID
	Scopes        []StaleScope
	RightsReduced bool
}

// A StaleScope is what a version adds to a purpose: consents to what was there
// before still cover that.
type StaleScope struct {
	Purpose    PurposeID
	Actions    []Action
	Categories []CategoryID
}

// PolicyEffective records that a version began to bind.
type PolicyEffective struct{ Version Hash }

// SurfacePublished records what a build of the app shows.
type SurfacePublished struct {
	ID        Hash // of the surface's canonical form
	Surface   Surface
	Publisher string // the principal that published it
	Signer    string // whose signature over what was sent was verified; empty: none
}

// ConsentGiven records a yes. Items say what it covers, and what it does not
// and why: what falls short is recorded and does not count.
type ConsentGiven struct {
	Policy  string
	Version Hash
	Locale  string
	Text    Hash // the text that was shown, zero if unknown
	Act     ActID
	Kind    ConsentKind
	Items   []Item
	Notice  EventID // the presentation it answers, zero if unknown
	Until   Instant // zero: until withdrawn
	Import  bool    // came later than a live event may
	Details Personal

	Build    string // of the app; empty: not said
	Surface  Hash   // zero: not known
	Control  ControlID
	Initial  ControlState // of the control, before the person touched it
	Once     bool         // the first use uses it up
	Guardian GuardianRef  // who gave it; empty: the person
	Proof    Proof        // of written and guardians' consent
	Signer   string       // whose signature over the event was verified; empty: none
	Confirms []EventID    // answers of a linked history that the person confirms
	Evidence Evidence
	Ends     []End // of purposes that end before the whole does
}

// An End is when a yes ends for one of its purposes.
type End struct {
	Purpose PurposeID
	Until   Instant
}

// A Proof is the document of a consent that needs one.
type Proof struct {
	Document  Hash
	Method    string // how it was checked, by a code
	CheckedBy string // a principal
}

// A GuardianRef names a guardian by the pseudonym of their own vault entry.
type GuardianRef string

// An Item is one purpose of a yes.
type Item struct {
	Purpose PurposeID
	Short   Shortfall // empty: it counts
}

// ConsentRefused records a no to a question.
type ConsentRefused struct {
	Scope   Scope
	Policy  string
	Version Hash
	Locale  string
	Act     ActID
	Details Personal
	Notice  EventID
	Build   string
	Surface Hash
	Control ControlID
	Added   []PurposeID  // of the scope: those of which only what the version added is refused
	Initial ControlState // of the control, before the person touched it

	Guardian GuardianRef // who said it; empty: the person
	Unknown  string      // names in the no that no policy declares, with commas: see [Quote]
}

// ConsentWithdrawn records a no after whatever was said before. It needs no
// yes before it and no reason.
type ConsentWithdrawn struct {
	Scope    Scope
	Details  Personal
	Build    string
	Guardian GuardianRef // who said it; empty: the person
	Unknown  string      // names in the no that no policy declares, with commas: see [Quote]
}

// ConsentUsed records that single-use consents were used up.
type ConsentUsed struct{ Consents []EventID }

// ConsentRequested records that a person was asked.
type ConsentRequested struct {
	Purposes []PurposeID
	Reason   string // a code, as in "policy-changed"
	TooSoon  bool   // within the quiet period after a refusal
	Locale   string
}

// A Scope is which purposes a no is about: those named, or all there are and
// will be.
type Scope struct {
	All      bool
	Purposes []PurposeID
}

func (s Scope) covers(p PurposeID) bool {
	if s.All {
		return true
	}
	for _, q := range s.Purposes {
		if p == q {
			return true
		}
	}
	return false
}

// PolicyAcknowledged records that a person says to have read a version. It is
// not consent.
type PolicyAcknowledged struct {
	Policy  string
	Version Hash
	Locale  string
	Act     ActID
	Details Personal
}

// NoticePresented records that a text was on a person's screen.
type NoticePresented struct {
	Policy  string
	Version Hash
	Locale  string
	Text    Hash
	Kind    string // general, enhanced, just-in-time (GB/T 42574)
	Details Personal
	Surface Hash // zero: not known
	Build   string
	Read    Reading
}

// A Reading is what a person did with a text on the screen.
type Reading struct{ Scrolled, Opened bool }

// PermissionGranted records that the operating system lets the app do
// something. It never gives consent.
type PermissionGranted struct {
	Permission PermissionID
	Details    Personal
}

// PermissionDenied records that the person said no to the operating system's
// question.
type PermissionDenied struct {
	Permission PermissionID
	Details    Personal
}

// PermissionRevoked records that a permission was taken away. It withdraws
// consent for the purposes bound to the permission.
type PermissionRevoked struct {
	Permission PermissionID
	Withdraws  []PurposeID
	Details    Personal
}

// RecordVoided records that facts of this stream were recorded by mistake. A
// voided yes is gone; a voided no still stands in the way of the yes before it.
// Of other facts see [Code] NotVoidable: some have a way of their own to end.
type RecordVoided struct {
	Records  []EventID
	Reason   string // a code, not a story: it is public
	Evidence Hash
	By       [2]string // two principals
}

// RecordDisputed records that somebody says a fact of this stream is wrong.
// The fact stands until it is voided.
type RecordDisputed struct {
	Records  []EventID
	Reason   string
	Evidence Hash
}

// ExemptionInvoked records that the handler processes without consent, on a
// ground of its policy. It never overrides a no.
type ExemptionInvoked struct {
	List          ExemptionList
	Code          string
	Doubtful      bool // the law does not clearly admit the ground
	Purposes      []PurposeID
	Actions       []Action // empty: all
	Justification Personal
	Reason        string // the justification's code, public
	Approver      string
	Until         Instant
}

// ExemptionEnded records that an exemption was given up.
type ExemptionEnded struct{ Exemption EventID }

// HoldPlaced records a legal hold: the data stay, and are not processed.
type HoldPlaced struct{ Reason, Authority string }

// HoldReleased records the end of every legal hold on the person's data.
type HoldReleased struct{ Reason string }

// RestrictionApplied records that the data are stored and protected, and
// nothing else (PIPL 47).
type RestrictionApplied struct{ Reason string }

// RestrictionLifted records the end of a restriction.
type RestrictionLifted struct{ Reason string }

// AgeRecorded records what band of age a person is in.
type AgeRecorded struct {
	Band      AgeBand
	Basis     string // how it is known, by a code: declared, identity-check, guardian, birthday
	BirthDate Personal
}

// MinorDataFound records that data of a child are there without a guardian's
// consent: they must be deleted (PIPL 31; policy VIII(5)).
type MinorDataFound struct{ Band AgeBand }

// GuardianVerified records that somebody is the person's guardian.
type GuardianVerified struct {
	Guardian GuardianRef
	Proof    Proof
	Identity Personal // the guardian's
}

// GuardianEnded records that somebody is not the person's guardian any more.
type GuardianEnded struct {
	Guardian GuardianRef
	Reason   string
}

// SubjectLinked records that another history is of the same person. A no
// crosses at once, a yes only when it is confirmed.
type SubjectLinked struct {
	Other    string // the other's pseudonym
	Proof    string // how it is known, by a code: login, same-device, operator
	Evidence Hash
}

// SubjectUnlinked records that the link is over: a logout, or a mistake. What
// had crossed stays.
type SubjectUnlinked struct {
	Other  string
	Reason string
}

// SubjectReassigned records that the outside id of this history has become
// somebody else's. It ends everything: the next who comes with it is new.
type SubjectReassigned struct{ Reason string }

// SubjectClosed records that the account was deleted. It ends everything: who
// registers again is a new person.
type SubjectClosed struct{ Reason string }

// SubjectMarkedTest records that this is no person. Reports leave it out.
type SubjectMarkedTest struct{ Reason string }

// CheckAnswered records that somebody asked whether something may be done, and
// was answered.
type CheckAnswered struct {
	Purpose   PurposeID
	Action    Action
	Valid     Instant // the moment that was asked about
	Allowed   bool
	Why       Why
	Status    Status
	Basis     LegalBasis
	Version   Hash
	Because   []EventID
	Category  CategoryID
	Recipient RecipientID
}

func (AppRegistered) isEvent()      {}
func (PolicyPublished) isEvent()    {}
func (ConsentGiven) isEvent()       {}
func (ConsentRefused) isEvent()     {}
func (ConsentWithdrawn) isEvent()   {}
func (PolicyAcknowledged) isEvent() {}
func (NoticePresented) isEvent()    {}
func (PermissionGranted) isEvent()  {}
func (PermissionDenied) isEvent()   {}
func (PermissionRevoked) isEvent()  {}
func (RecordVoided) isEvent()       {}
func (SignerRegistered) isEvent()   {}
func (ServiceCeased) isEvent()      {}
func (BuildVoided) isEvent()        {}
func (BuildDisputed) isEvent()      {}
func (PolicyEffective) isEvent()    {}
func (SurfacePublished) isEvent()   {}
func (ConsentUsed) isEvent()        {}
func (ConsentRequested) isEvent()   {}
func (RecordDisputed) isEvent()     {}
func (ExemptionInvoked) isEvent()   {}
func (ExemptionEnded) isEvent()     {}
func (HoldPlaced) isEvent()         {}
func (HoldReleased) isEvent()       {}
func (RestrictionApplied) isEvent() {}
func (RestrictionLifted) isEvent()  {}
func (AgeRecorded) isEvent()        {}
func (MinorDataFound) isEvent()     {}
func (GuardianVerified) isEvent()   {}
func (GuardianEnded) isEvent()      {}
func (SubjectLinked) isEvent()      {}
func (SubjectUnlinked) isEvent()    {}
func (SubjectReassigned) isEvent()  {}
func (SubjectClosed) isEvent()      {}
func (SubjectMarkedTest) isEvent()  {}
func (CheckAnswered) isEvent()      {}
func (Noted) isEvent()              {}
