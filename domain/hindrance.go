package domain

import (
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// A Hindrance says why a grant that counts allows nothing when it is recorded.
// Unlike a [Shortfall] it is no fault of the grant: what comes later may lift it.
type Hindrance string

const (
	OptOutStands  Hindrance = "opt-out-stands"          // it is not proven that the grant is the last word
	PolicyChanged Hindrance = "policy-changed"          // the grant is to an older version
	NewerEnded    Hindrance = "newer-consent-ended"     // and the newest one counts
	OwnEnded      Hindrance = "consent-over"            // it had ended when it was recorded
	OtherBasis    Hindrance = "other-legal-basis"       // the purpose rests on no consent
	NotInForce    Hindrance = "purpose-not-in-force"    // no policy in force declares the purpose
	NotStanding   Hindrance = "person-does-not-consent" // for another reason: see the person's state
)

// HindranceTexts say each hindrance in a sentence.
var HindranceTexts = map[Hindrance]string{
	OptOutStands: "a refusal or withdrawal stands, of which it is not proven that it came before this consent; ask " +
		"the person again",
	PolicyChanged: "the policy changed since the version that was agreed to; ask with the version in force",
	NewerEnded:    "a consent that was given after this one has ended, and the newest answer counts; ask again",
	OwnEnded:      "it had ended when it was recorded, and the newest answer counts; ask again",
	OtherBasis:    "the purpose rests on another legal basis, so nothing depends on a consent",
	NotInForce: "no policy in force declares the purpose; name one that it declares, or publish the version that " +
		"declares it",
	NotStanding: "the person's state does not allow it; see the answer to check",
}

// Weigh returns the event of f, a grant that was just decided on, with what keeps
// its purposes from being allowed. Of any other event it returns it as it is.
func (s Subject) Weigh(f Fact, ref Reference) Event {
	e, ok := f.Event.(ConsentGiven)
	if !ok {
		return f.Event
	}

	at := f.Later()
	inForce := ref.Policies.AllInForce(at)
	simple := s.simple(ref) && !e.endsBy(at)
	after := s
	if !simple {
		after = s.Evolve(f)
	}

	for _, item := range e.Items {
		if item.Short != "" {
			continue
		}
		why := Hindrance("")
		switch _, p, declared := inForce.Declaring(item.Purpose); {
		case !declared:
			why = NotInForce
		case p.Basis != policy.BasisConsent:
			why = OtherBasis
		case !simple:
			why = hindranceOf(after.standing(item.Purpose, at, &ref).Status)
			if y := after.said[len(after.said)-1]; why == NewerEnded {
				if _, over := after.over(y, item.Purpose, at); over {
					why = OwnEnded
				}
			}
		}
		if why != "" {
			e.Hindered = append(e.Hindered, Hindered{item.Purpose, why})
		}
	}
	return e
}

// simple reports whether nothing that is known can stand in the way of a grant that
// counts by itself: there is one version, and the person never said no nor for
// how long.
func (s *Subject) simple(ref Reference) bool {
	if len(ref.Policies.Versions()) > 1 {
		return false
	}
	for _, x := range s.said {
		if x.no != 0 || x.more().until != 0 || len(x.more().ends) > 0 || x.given().Once {
			return false
		}
	}
	return len(s.ages) == 0 && len(s.guardians) == 0
}

// endsBy reports whether some of a consent is over at a moment. One that comes late,
// as in an import, may be over when it is recorded: it still ends what was agreed to
// before it.
func (e ConsentGiven) endsBy(at deadline.Instant) bool {
	over := func(x End) bool { return x.Until <= at }
	return e.Until != 0 && e.Until <= at || slices.ContainsFunc(e.Ends, over)
}

func hindranceOf(s Status) Hindrance {
	switch s {
	case Given:
		return ""
	case Refused, Withdrawn, AskAgain:
		return OptOutStands
	case Stale:
		return PolicyChanged
	case Expired:
		return NewerEnded
	case NeverAsked:
	}
	return NotStanding
}
