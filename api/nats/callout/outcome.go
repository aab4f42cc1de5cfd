package callout

import (
	"errors"
	"slices"

	"consentledger/api/auth"
)

// An Outcome is what came of a server's question whom to let in. It says nothing of who that
// was.
type Outcome string

// The outcomes. What is refused has the code that the trail has for it.
const (
	LetIn      Outcome = "let-in"
	NoKey      Outcome = "no-key"      // it showed nothing
	UnknownKey Outcome = "unknown-key" // and others by a key that is no good
	ExpiredKey Outcome = "expired-key"
	RevokedKey Outcome = "revoked-key"
	Credential Outcome = "credential" // by a token or a certificate that is no good
	Unmapped   Outcome = "unmapped"   // by a good one that has no role here
	OtherKind  Outcome = "kind"       // a leaf node, or a client of MQTT
	Away       Outcome = "away"       // nobody could tell
	Unread     Outcome = "unread"     // the question could not be read, and was not answered
)

// Outcomes are all of them.
var Outcomes = []Outcome{
	LetIn, NoKey, UnknownKey, ExpiredKey, RevokedKey, Credential, Unmapped, OtherKind, Away, Unread,
}

// outcomeOf returns what an error of a question comes to; nil: somebody is let in.
func outcomeOf(refused error) Outcome {
	if refused == nil {
		return LetIn
	}
	if errors.Is(refused, errKind) {
		return OtherKind
	}
	code, known := auth.WhyDenied(refused)
	switch {
	case !known:
		return Away
	case slices.Contains(Outcomes, Outcome(code)):
		return Outcome(code)
	}
	return Credential
}

func (s *Service) count(o Outcome) {
	if s.Count != nil {
		s.Count(o)
	}
}
