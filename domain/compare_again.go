package domain

import "slices"

// Compare is [Compare] of a published version with another document of the same
// policy that takes over by the moment until. Beside what the two differ in it
// finds the purposes that were given up on the way and are declared again: who
// consented before knew that nothing is done for them any more, so their consent
// is stale as a whole.
func (p Policies) Compare(old Hash, is Document, until Instant) Comparison {
	i := p.index(old)
	if i < 0 {
		return Comparison{}
	}
	c := Compare(p.versions[i].Document, is)
	c.renew(p.returning(i, is, until))
	return c
}

// returning returns the purposes of a document that rest on consent and that
// some version lacks which took over by the moment until, beginning with the
// version i, after an earlier one declared them.
func (p Policies) returning(i int, is Document, until Instant) (found []Purpose) {
	for _, q := range is.Purposes {
		gap := slices.ContainsFunc(p.versions, func(w PolicyPublished) bool {
			k := p.index(w.Version)
			return (k == i || p.follows(k, i)) && w.Effective <= until && !w.declares(q.ID) && p.declaredBefore(q.ID, &w)
		})
		if q.Basis == BasisConsent && gap {
			found = append(found, q)
		}
	}
	return found
}

// givenUp returns the purposes of a document that takes over after the version e
// which rest on consent, and which e gives up.
func (p Policies) givenUp(e *PolicyPublished, next Document) (found []Purpose) {
	for _, q := range next.Purposes {
		if q.Basis == BasisConsent && !e.declares(q.ID) && p.declaredBefore(q.ID, e) {
			found = append(found, q)
		}
	}
	return found
}

// declaredBefore reports whether a version of the same policy that took over no
// later than w, and is another, declares a purpose.
func (p Policies) declaredBefore(id PurposeID, w *PolicyPublished) bool {
	return slices.ContainsFunc(p.versions, func(v PolicyPublished) bool {
		return v.Document.Name == w.Document.Name && v.Version != w.Version && v.Effective <= w.Effective && v.declares(id)
	})
}

func (v *PolicyPublished) declares(id PurposeID) bool {
	_, ok := v.Document.Purpose(id)
	return ok
}

// renew adds purposes that are declared again after they were given up: consents
// to them are stale, whatever else changed of them.
func (c *Comparison) renew(again []Purpose) {
	for _, q := range again {
		c.add(Difference{Section: "purposes declared again", Name: string(q.ID), New: q.Title, Material: MaterialService})
		if !has(c.Stale, q.ID) {
			c.Stale = append(c.Stale, q.ID)
		}
		c.Scopes = slices.DeleteFunc(c.Scopes, func(s StaleScope) bool { return s.Purpose == q.ID })
	}
	if len(again) > 0 && !has(c.Material, MaterialService) {
		c.Material = append(c.Material, MaterialService)
		slices.Sort(c.Material)
	}
}
