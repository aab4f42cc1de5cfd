package domain

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// A staleness is what a yes no longer covers of its purpose.
type staleness struct {
	by       PolicyPublished   // the first version that made it so
	whole    bool              // the purpose means something else now
	added    policy.StaleScope // or else: what was added to it
	specific bool              // by is of another policy than the yes is to: a specific one, or the general one again
	separate bool              // by demands a consent of its own, and the yes is none
}

// stale returns what the versions in force at the moment at made stale of a
// yes; nil if nothing. Whether a later version of the same policy did is what
// it was published with; whether a specific policy did is what it demands.
func (p Policies) stale(y *said, id policy.PurposeID, at deadline.Instant) *staleness {
	e := y.given()
	var found *staleness
	for _, v := range p.after(e.Version, at) {
		whole, added := p.makesStale(v, id, e.Version)
		if !whole && added.Purpose == "" {
			continue
		}
		if found == nil {
			found = &staleness{by: v}
		}
		found.whole = found.whole || whole
		found.added.Actions = append(found.added.Actions, added.Actions...)
		found.added.Categories = append(found.added.Categories, added.Categories...)
	}

	if special := p.overruled(y, id, at); special != nil {
		return special
	}
	return found
}

// staleOf returns what a standing yes no longer covers; nil if it is not stale.
func (s *Subject) staleOf(st Standing, id policy.PurposeID, at deadline.Instant, ref *Reference) *staleness {
	if st.Status != Stale {
		return nil
	}
	y, _ := s.yes(st.Because[0])
	return ref.Policies.stale(&y, id, at)
}

// makesStale returns what the version v makes stale of a consent to the purpose
// that was given to the version since: all, or what it adds. It is what v was
// published with, and what is known since of versions that came in between.
func (p Policies) makesStale(
	v PolicyPublished, id policy.PurposeID, since content.Hash,
) (whole bool, added policy.StaleScope) {
	whole, added = staleIn(v.Stale, v.Scopes, id)
	i := p.index(since)
	for k := range p.versions {
		for _, o := range p.versions[k].Later {
			if o.Version != v.Version || k != i && !p.follows(k, i) {
				continue
			}
			w, s := staleIn(o.Stale, o.Scopes, id)
			whole = whole || w
			if s.Purpose != "" {
				added = policy.StaleScope{Purpose: id, Actions: slices.Concat(added.Actions, s.Actions),
					Categories: slices.Concat(added.Categories, s.Categories)}
			}
		}
	}
	return whole, added
}

func staleIn(
	stale []policy.PurposeID, scopes []policy.StaleScope, id policy.PurposeID,
) (whole bool, added policy.StaleScope) {
	for _, s := range scopes {
		if s.Purpose == id {
			added = s
		}
	}
	return slices.Contains(stale, id), added
}

// overruled returns what a yes does not cover since another policy declares the
// purpose: a specific one that prevails over the policy that it was given to, or the
// general one after the specific one gave it up. What the other one demands is met
// by a consent to it, or by one that is as strong and means the same, unless for a time
// no policy declared the purpose.
func (p Policies) overruled(y *said, id policy.PurposeID, at deadline.Instant) *staleness {
	e := y.given()
	if !p.special(e.Policy) && (y.Rules < again || !p.specific(e.Policy)) {
		return nil
	}

	v, is, ok := p.declaring(id, at)
	if !ok || v.Document.Name == e.Policy || is.Basis != policy.BasisConsent {
		return nil
	}
	if own := p.binding(e.Policy, at); v.Document.Over == "" && (y.Rules < again || own == nil || own.declares(id)) {
		return nil // two policies that declare it side by side
	}

	was := policy.Purpose{}
	if i := p.index(e.Version); i >= 0 {
		was, _ = p.versions[i].Document.Purpose(id)
	}

	s := &staleness{by: v, specific: true, separate: is.Separate && !y.isSeparate(was)}
	was.Separate = is.Separate // it was looked at by itself
	s.whole, s.added = policy.Uncovered(was, is)
	s.whole = s.whole || y.Rules >= again && p.lapsed(id, e.Version, at)
	if s.whole = s.whole || s.separate; !s.whole && s.added.Purpose == "" {
		return nil
	}
	return s
}

// special reports whether there is any specific policy but the one named.
func (p Policies) special(but string) bool {
	for i := range p.versions {
		if d := &p.versions[i].Document; d.Over != "" && d.Name != but {
			return true
		}
	}
	return false
}

// specific reports whether the policy of that name prevails over another.
func (p Policies) specific(name string) bool {
	return slices.ContainsFunc(p.versions,
		func(v PolicyPublished) bool { return v.Document.Name == name && v.Document.Over != "" })
}

// given returns what a yes says; of a no it must not be asked.
func (y *said) given() ConsentGiven { return y.Event.(ConsentGiven) }

// isSeparate reports whether a yes that counts for a purpose is a separate
// consent: its policy demanded one, or it is of a kind that is and about
// nothing else.
func (y *said) isSeparate(p policy.Purpose) bool {
	return p.Separate || alone(y.kind, y.items)
}

// Alone reports whether a yes is a separate consent to one purpose and nothing
// else; see [Standing].
func (e ConsentGiven) Alone() bool { return alone(e.Kind, e.Items) }

func alone(k policy.ConsentKind, items []Item) bool {
	strong := k == policy.SeparateConsent || k == policy.WrittenConsent || k == policy.GuardianConsent
	return strong && len(items) == 1
}

// adds reports whether agreeing to the version h would be agreeing to more than
// the standing yes st covers: then it takes an explicit consent, and refusing it
// refuses no more than that. To agree late to an old text is to agree to the
// old text.
func (p Policies) adds(id policy.PurposeID, st Standing, h content.Hash) bool {
	if st.Status != Given && st.Status != Stale {
		return false
	}

	i, j := p.index(st.Version), p.index(h)
	if i < 0 || j < 0 {
		return false
	}
	if d := &p.versions[j].Document; d.Name != st.Policy {
		return st.Status == Stale && d.Over != ""
	}

	for k := range p.versions {
		if !p.follows(k, i) || k != j && !p.follows(j, k) {
			continue
		}
		if whole, added := p.makesStale(p.versions[k], id, st.Version); whole || added.Purpose != "" {
			return true
		}
	}
	return false
}

// precedes reports whether a yes to the version a may stand although what the
// version b added was refused: a took over before b, or is of the general policy
// and b of a specific one.
func (p Policies) precedes(a, b content.Hash) bool {
	i, j := p.index(a), p.index(b)
	if i < 0 || j < 0 {
		return false
	}
	d, e := &p.versions[i].Document, &p.versions[j].Document
	return p.follows(j, i) || d.Name != e.Name && d.Over == "" && e.Over != ""
}
