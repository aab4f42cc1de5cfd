package domain

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/published"
)

// staleOf returns what a standing grant no longer covers; nil if it is not stale.
func (s *Subject) staleOf(st Standing, id policy.PurposeID, at deadline.Instant, ref *Reference) *published.Staleness {
	if st.Status != Stale {
		return nil
	}
	y, _ := s.grant(st.Because[0])
	return ref.Policies.Stale(y.agreement(), id, at)
}

// given returns what a grant says; of an opt-out it must not be asked.
func (y *said) given() ConsentGiven { return y.Event.(ConsentGiven) }

// agreement returns what a grant was given to.
func (y *said) agreement() published.Agreement {
	e := y.given()
	return published.Agreement{
		Policy: e.Policy, Version: e.Version, Alone: alone(y.kind, y.items), GaveUp: y.Rules >= again,
	}
}

// Alone reports whether a grant is a separate consent to one purpose and nothing
// else; see [Standing].
func (e ConsentGiven) Alone() bool { return alone(e.Kind, e.Items) }

func alone(k policy.ConsentKind, items []Item) bool {
	strong := k == policy.SeparateConsent || k == policy.WrittenConsent || k == policy.GuardianConsent
	return strong && len(items) == 1
}

// adds reports whether agreeing to the version h would be agreeing to more than
// the standing grant st covers: then it takes an explicit consent, and refusing it
// refuses no more than that.
func (ref Reference) adds(id policy.PurposeID, st Standing, h content.Hash) bool {
	return (st.Status == Given || st.Status == Stale) &&
		ref.Policies.Adds(id, st.agreement(), st.Status == Stale, h)
}
