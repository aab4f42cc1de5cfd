package catalog

// A Note names a kind of note, as in "recipient.added".
type Note string

// ClockObserved is what the ledger says of its own clock: that it stepped, was
// behind what was recorded before, or was steady. Step is in milliseconds,
// watched in seconds.
const ClockObserved Note = "clock.observed"

// GroupTold is what the ledger says of an event that was said to a group of
// apps: every app that was in it took or refused the event. The record is the
// one that the first app has of it.
const GroupTold Note = "group.told"

// MessagesLost is what the ledger says of messages that NATS had acknowledged and
// that never came: which numbers of which stream, and how that was seen. Whose
// they were nobody knows.
const MessagesLost Note = "messages.lost"

// What the ledger says of the keys by which somebody may do something in an app: for whom
// one was issued, with which roles and until when, and that it ended. Names of people
// stand in none of them.
const (
	KeyIssued  Note = "key.issued"
	KeyRotated Note = "key.rotated"
	KeyRevoked Note = "key.revoked"
)

// What the ledger says of the keys that sign an app's transparency log. A key is named by
// what it is verified with, which is public.
const (
	LogKeyJoined  Note = "logkey.joined"
	LogKeyRetired Note = "logkey.retired"
)

// What the ledger says of a consent that is worth less than it was although nobody said
// so: it expired, or a new version of the policy made it stale. Nothing is decided by these
// notes: where a person stands is found each time anew. They are so that apps can be told,
// in the order of everything else.
const (
	ConsentExpired Note = "consent.expired"
	ConsentStale   Note = "consent.stale"
)

// Other kinds that something is decided by.
const (
	HeadcountRecorded Note = "headcount.recorded" // how many persons' data are handled
	DisclosureMade    Note = "disclosure.made"    // personal data were made public
	CessationDecided  Note = "cessation.decided"
	CessationNotified Note = "cessation.notified"
)

// A NoteRule says what a kind of note is about.
type NoteRule struct {
	Kind   Note
	Person bool // about a person, else about the app
	Own    bool // the ledger says it of itself: nobody sends it
	OptOut bool // a person says no by it: what stands beside it does not refuse it
	Says   string
	Source string
	Fields []FieldRule
}

// NoteRuleOf returns the rule of a kind, and whether there is one.
func NoteRuleOf(k Note) (NoteRule, bool) {
	i, ok := noteIndex[k]
	if !ok {
		return NoteRule{}, false
	}
	return NoteRules[i], true
}

var noteIndex = func() map[Note]int {
	m := make(map[Note]int, len(NoteRules))
	for i, r := range NoteRules {
		m[r.Kind] = i
	}
	return m
}()
