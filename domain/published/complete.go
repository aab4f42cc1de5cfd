package published

import (
	"fmt"
	"slices"
	"strings"

	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// Complete adds to e what differs from the version in force before it. The
// publisher declares material changes: may add, may not drop.
//
// A version that was published before and takes over later was compared with
// another: what it changes of e is added to e, since facts do not change.
func (p Policies) Complete(e *Policy) error {
	if next, ok := p.next(e); ok {
		c := policy.Compare(e.Document, next.Document)
		c.AddRenewed(p.givenUp(e, next.Document))
		if len(c.Stale)+len(c.Scopes) > 0 || c.RightsReduced {
			e.Later = []Overtaking{{next.Version, c.Stale, c.Scopes, c.RightsReduced}}
		}
	}

	before, ok := p.InForce(e.Document.Name, e.Effective)
	if !ok {
		return nil
	}

	c := p.Compare(before.Version, e.Document, e.Effective)
	for _, kind := range c.Material {
		if !slices.Contains(e.Material, kind) {
			return refusal.At(refusal.MaterialDropped, "material", fmt.Sprintf(
				"the change is material: declare %s (see consentledger policy diff), you may add kinds and may not "+
					"drop one", strings.Join(c.Material, ", ")))
		}
	}

	for _, id := range c.Stale {
		if !slices.Contains(e.Stale, id) {
			e.Stale = append(e.Stale[:len(e.Stale):len(e.Stale)], id)
		}
	}

	for _, s := range c.Scopes {
		e.Scopes = policy.AddScope(e.Scopes, s)
	}

	e.RightsReduced = e.RightsReduced || c.RightsReduced
	return nil
}

// next returns the first version of the same policy that takes over after e.
func (p Policies) next(e *Policy) (next Policy, ok bool) {
	for i := range p.versions {
		if v := &p.versions[i]; v.Document.Name == e.Document.Name && v.Effective > e.Effective &&
			(!ok || v.Effective < next.Effective) {
			next, ok = *v, true
		}
	}
	return next, ok
}
