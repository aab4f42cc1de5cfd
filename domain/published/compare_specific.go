package published

import (
	"consentledger/domain/content"
	"consentledger/domain/policy"
)

// CompareSpecific is [policy.CompareSpecific] with a published version of the general policy.
// Beside what the two differ in it finds the purposes that the general policy gave up
// before, and that no policy declared from then on: consents to them are stale as a whole.
func (p Policies) CompareSpecific(general content.Hash, is policy.Document) policy.Comparison {
	v, known := p.Version(general)
	if !known {
		return policy.Comparison{}
	}

	c := policy.CompareSpecific(v.Document, is)
	var again []policy.Purpose
	for _, q := range is.Purposes {
		_, _, declared := p.AllInForce(v.Effective).Declaring(q.ID)
		if q.Basis == policy.BasisConsent && !declared && p.declaredBefore(q.ID, &v) {
			again = append(again, q)
		}
	}

	c.AddRenewed(again)
	for c.Material = nil; len(again) > 0; again = again[1:] {
		c.Differences[len(c.Differences)-len(again)].Material = ""
	}
	return c
}
