package published

import (
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// Kept returns for which purposes of a scope data stay, and are processed on,
// although a fact of a kind orders to stop or delete: whoever takes a consent back
// takes nothing from what rests on no consent, and whoever goes, or is found to be
// a child, nothing from what the law itself orders.
func (p Policies) Kept(kind string, scope policy.Scope, at deadline.Instant) (ids []policy.PurposeID) {
	for _, x := range p.Resting(scope, at) {
		lawful := x.Basis == policy.BasisLegalDuty || x.Basis == policy.BasisOtherLaw
		switch kind {
		case "subject.closed":
			if !lawful {
				continue
			}
		case "minor.found":
			if !lawful && x.Basis != policy.BasisEmergency {
				continue
			}
		case "consent.withdrawn", "consent.refused", "permission.revoked", "record.voided", "build.voided",
			"age.recorded":
		default:
			continue
		}
		ids = append(ids, x.Purpose)
	}
	return ids
}

// Without returns the purposes of a scope that are not among those kept. All is
// every purpose that some version declares.
func (p Policies) Without(scope policy.Scope, kept []policy.PurposeID) policy.Scope {
	if len(kept) == 0 {
		return scope
	}
	var rest policy.Scope
	for _, v := range p.versions {
		for _, q := range v.Document.Purposes {
			if scope.Covers(q.ID) && !slices.Contains(kept, q.ID) && !slices.Contains(rest.Purposes, q.ID) {
				rest.Purposes = append(rest.Purposes, q.ID)
			}
		}
	}
	return rest
}

// Resting returns which purposes of a scope rest on something else than consent,
// at the moment at: what the policies in force say of them, or of what none
// declares any more the last version that did.
func (p Policies) Resting(scope policy.Scope, at deadline.Instant) []policy.Rest {
	var found []policy.Rest
	var seen []policy.PurposeID
	note := func(q policy.Purpose) {
		if slices.Contains(seen, q.ID) || !scope.Covers(q.ID) {
			return
		}
		if seen = append(seen, q.ID); q.Basis != policy.BasisConsent {
			found = append(found, policy.Rest{Purpose: q.ID, Basis: q.Basis})
		}
	}

	for _, v := range p.AllInForce(at) {
		for _, q := range v.Document.Purposes {
			note(q)
		}
	}

	for i := len(p.versions) - 1; i >= 0; i-- {
		for _, q := range p.versions[i].Document.Purposes {
			note(q)
		}
	}
	return found
}
