package domain

import (
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// accessEvents are the rows of what was asked of the ledger, and answered.
var accessEvents = []EventRule{
	{Name: "check.answered", Event: CheckAnswered{}, Nouns: in(ident.AccessNoun), By: ByLedger, Views: InRequests | InReport | InFollowUps, Idle: true,
		purposes: func(e Event, room []policy.PurposeID) []policy.PurposeID {
			return append(room, e.(CheckAnswered).Purpose)
		}},
	{Name: "data.accessed", Event: DataAccessed{}, Nouns: in(ident.AccessNoun), By: ByLedger, Idle: true},
}

// An AccessKind says by which way somebody read what the ledger keeps.
type AccessKind string

const (
	AccessExport   AccessKind = "export"           // an evidence bundle
	AccessReceipt  AccessKind = "receipt"          // of a consent
	AccessRejected AccessKind = "rejected-message" // a message that was not taken, as it was sent
	AccessReplay   AccessKind = "replay"           // history, without personal parts
	AccessNames    AccessKind = "names"            // who stands where with a purpose, by the app's own ids
	AccessRequest  AccessKind = "request"          // who asks in a request, and what they wrote
	AccessProposal AccessKind = "proposal"         // what takes two persons, for the second
	AccessProof    AccessKind = "proof"            // what was kept of who is erased, by a decision of two
	AccessReaction AccessKind = "reaction"         // the ledger computes something itself, and shows nobody
)

// DataAccessed records that somebody is about to read what the ledger keeps,
// before they do. It counts what is asked for: somebody may be erased in
// between, and a connection may break off.
type DataAccessed struct {
	Kind     AccessKind
	Subject  string           // the pseudonym of the person it is about; empty: of nobody in particular
	From, To deadline.Instant // of the recording times asked for; zero: from the first, to the last
	Events   []ident.EventID  // the records that are opened; empty: all that are asked for
	Roles    []string         // of the personal parts that are opened; empty: all
	Records  int
	Parts    int    // personal parts that are opened
	Reason   string // a code
	Accessor string // the pseudonym of who says to be reading; empty: they did not say
	Name     Personal
	Words    Personal // why, in the accessor's words
}

func (DataAccessed) isEvent() {}

// Unstated is the reason of who read nothing personal and did not say why.
const Unstated = "unstated"

// maxWords bounds what an accessor says.
const maxWords = 500

// Check refuses an access that does not say why. Who opens personal parts says
// it by a code and in words, and who they are; only the ledger itself need not.
func (e DataAccessed) Check(actor ident.Actor) error {
	if !form.IsName(e.Reason, 64) {
		return refusal.At(refusal.ReasonMissing, "reason",
			`say why this is read, by a code of 1 to 64 of a-z, 0-9 and "-", as in subject-request, dispute, authority or audit`)
	}

	if len(e.Words) > maxWords || len(e.Name) > maxWords {
		return refusal.At(refusal.TooLarge, "why", "what is said of an access has at most 500 bytes")
	}
	if e.Parts == 0 || actor == ident.System {
		return nil
	}

	if e.Reason == Unstated || e.Words == "" {
		return refusal.At(refusal.ReasonMissing, "why",
			"personal texts are opened for a reason: say it in words too; they are sealed")
	}

	if e.Name == "" {
		return refusal.At(refusal.ReasonMissing, "by",
			"personal texts are opened for somebody: say who reads them; it is sealed")
	}
	return nil
}
