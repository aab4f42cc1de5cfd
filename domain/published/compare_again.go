package published

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// Compare is [policy.Compare] of a published version with another document of the same
// policy that takes over by the moment until. Beside what the two differ in it
// finds the purposes that were given up on the way and are declared again: who
// consented before knew that nothing is done for them any more, so their consent
// is stale as a whole.
func (p Policies) Compare(old content.Hash, is policy.Document, until deadline.Instant) policy.Comparison {
	i := p.index(old)
	if i < 0 {
		return policy.Comparison{}
	}
	c := policy.Compare(p.versions[i].Document, is)
	stale, scopes := p.between(i, is, until)
	c.AddStale(is, stale, scopes)
	c.AddRenewed(p.returning(i, is, until))
	for _, r := range p.recipientsReturning(i, is, until) {
		c.AddDifference(policy.Difference{Section: "recipients declared again", Name: string(r.ID), New: r.Title,
			Material: policy.MaterialRecipients})
	}
	return c
}

// recipientsReturning returns the recipients of a document that the version i has
// too, and a version does not that took over between the two, by the moment until.
// No consent to the version i covers them, see [Policies.LeftOut].
func (p Policies) recipientsReturning(i int, is policy.Document, until deadline.Instant) (found []policy.Recipient) {
	between := p.after(p.versions[i].Version, until)
	for _, r := range is.Recipients {
		lacks := func(w Policy) bool { _, has := w.Document.Recipient(r.ID); return !has }
		if _, had := p.versions[i].Document.Recipient(r.ID); had && slices.ContainsFunc(between, lacks) {
			found = append(found, r)
		}
	}
	return found
}

// between returns what a document and the versions that took over between the
// version i and it, by the moment until, make stale of a consent to the version i.
// What one of them drops and a later one declares again differs in neither end.
func (p Policies) between(
	i int, is policy.Document, until deadline.Instant,
) (stale []policy.PurposeID, scopes []policy.StaleScope) {
	last := &p.versions[i]
	for _, w := range p.after(last.Version, until) {
		for _, q := range w.Document.Purposes {
			whole, added := p.makesStale(w, q.ID, p.versions[i].Version)
			if whole && !slices.Contains(stale, q.ID) {
				stale = append(stale, q.ID)
			}
			if added.Purpose != "" {
				scopes = policy.AddScope(scopes, added)
			}
		}
		last = &p.versions[p.index(w.Version)]
	}

	if last != &p.versions[i] {
		c := policy.Compare(last.Document, is)
		stale = append(stale, c.Stale...)
		for _, s := range c.Scopes {
			scopes = policy.AddScope(scopes, s)
		}
	}
	return stale, scopes
}

// LeftOut reports whether a recipient of a purpose's data at the moment at is abroad and
// was not, or was left out, in the version since or one that took over after it.
func (p Policies) LeftOut(
	to policy.RecipientID, id policy.PurposeID, since content.Hash, at deadline.Instant,
) bool {
	now, _, ok := p.Declaring(id, at)
	if !ok {
		return false
	}
	is, _ := now.Document.Recipient(to)
	lacks := func(v Policy) bool {
		r, known := v.Document.Recipient(to)
		return v.declares(id) && (!known || !slices.Contains(r.Purposes, id) || is.Abroad && !r.Abroad)
	}
	v, _ := p.Version(since)
	return lacks(v) || slices.ContainsFunc(p.after(since, at), lacks)
}

// lapsed reports whether, after the version since took over and by the moment at, there
// was a time in which no policy declared a purpose.
func (p Policies) lapsed(id policy.PurposeID, since content.Hash, at deadline.Instant) bool {
	v, _ := p.Version(since)
	return slices.ContainsFunc(p.versions, func(w Policy) bool {
		if w.Effective <= v.Effective || w.Effective > at {
			return false
		}
		_, _, declared := p.AllInForce(w.Effective).Declaring(id)
		return !declared
	})
}

// returning returns the purposes of a document that rest on consent and that
// some version lacks which took over by the moment until, beginning with the
// version i, after an earlier one declared them.
func (p Policies) returning(i int, is policy.Document, until deadline.Instant) (found []policy.Purpose) {
	for _, q := range is.Purposes {
		gap := slices.ContainsFunc(p.versions, func(w Policy) bool {
			k := p.index(w.Version)
			return (k == i || p.follows(k, i)) && w.Effective <= until && !w.declares(q.ID) &&
				p.declaredBefore(q.ID, &w)
		})
		if q.Basis == policy.BasisConsent && gap {
			found = append(found, q)
		}
	}
	return found
}

// givenUp returns the purposes of a document that takes over after the version e
// which rest on consent, and which e gives up.
func (p Policies) givenUp(e *Policy, next policy.Document) (found []policy.Purpose) {
	for _, q := range next.Purposes {
		if q.Basis == policy.BasisConsent && !e.declares(q.ID) && p.declaredBefore(q.ID, e) {
			found = append(found, q)
		}
	}
	return found
}

// declaredBefore reports whether a version of the same policy that took over no
// later than w, and is another, declares a purpose.
func (p Policies) declaredBefore(id policy.PurposeID, w *Policy) bool {
	return slices.ContainsFunc(p.versions, func(v Policy) bool {
		return v.Document.Name == w.Document.Name && v.Version != w.Version && v.Effective <= w.Effective &&
			v.declares(id)
	})
}

func (v *Policy) declares(id policy.PurposeID) bool {
	_, ok := v.Document.Purpose(id)
	return ok
}
