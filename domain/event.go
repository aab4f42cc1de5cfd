package domain

// An Event is what happened. Facts are past tense and are never changed. To
// add one: add a type here, a case in the Evolve of its noun, a row in codec.
//
//sumtype:decl
type Event interface{ isEvent() }

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

// PolicyPublished records a version of a policy, whole.
type PolicyPublished struct {
	Version   Hash // of the document's canonical form
	Document  Document
	Effective Instant     // when it binds
	Material  []string    // the kinds of material change that the publisher declares
	Stale     []PurposeID // purposes whose earlier consents must be asked for again
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
}

// An Item is one purpose of a yes.
type Item struct {
	Purpose PurposeID
	Short   Shortfall // empty: it counts
}

// A Shortfall says why a yes does not count.
type Shortfall string

const (
	NeedsSeparate Shortfall = "separate-consent-missing" // PIPL 23, 25, 26, 29, 39
	ActGivesNone  Shortfall = "act-gives-no-consent"     // use of the service, an OS permission
	NeedsDocument Shortfall = "guardian-consent-missing" // PIPL 31
)

// ConsentRefused records a no to a question.
type ConsentRefused struct {
	Scope   Scope
	Policy  string
	Version Hash
	Locale  string
	Act     ActID
	Details Personal
}

// ConsentWithdrawn records a no after whatever was said before. It needs no
// yes before it and no reason.
type ConsentWithdrawn struct {
	Scope   Scope
	Details Personal
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
}

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
type RecordVoided struct {
	Records  []EventID
	Reason   string // a code, not a story: it is public
	Evidence Hash
	By       [2]string // two principals
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
