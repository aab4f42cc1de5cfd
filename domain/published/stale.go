package published

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// An Agreement is what a consent was given to.
type Agreement struct {
	Policy  string
	Version content.Hash
	Alone   bool // it is a separate consent to one purpose and nothing else
	GaveUp  bool // it does not cover what was given up on the way, and is declared again
}

// A Staleness is what a consent no longer covers of its purpose.
type Staleness struct {
	By       Policy            // the first version that made it so
	Whole    bool              // the purpose means something else now
	Added    policy.StaleScope // or else: what was added to it
	Specific bool              // by is of another policy than the grant is to: a specific one, or the general one again
	Separate bool              // by demands a consent of its own, and the grant is none
}

// Stale returns what the versions in force at the moment at made stale of a
// consent; nil if nothing. Whether a later version of the same policy did is what
// it was published with; whether a specific policy did is what it demands.
func (p Policies) Stale(to Agreement, id policy.PurposeID, at deadline.Instant) *Staleness {
	var found *Staleness
	for _, v := range p.after(to.Version, at) {
		whole, added := p.makesStale(v, id, to.Version)
		if !whole && added.Purpose == "" {
			continue
		}
		if found == nil {
			found = &Staleness{By: v}
		}
		found.Whole = found.Whole || whole
		found.Added.Actions = append(found.Added.Actions, added.Actions...)
		found.Added.Categories = append(found.Added.Categories, added.Categories...)
	}

	if special := p.overruled(to, id, at); special != nil {
		return special
	}
	return found
}

// makesStale returns what the version v makes stale of a consent to the purpose
// that was given to the version since: all, or what it adds. It is what v was
// published with, and what is known since of versions that came in between.
func (p Policies) makesStale(
	v Policy, id policy.PurposeID, since content.Hash,
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

// overruled returns what a consent does not cover since another policy declares the
// purpose: a specific one that prevails over the policy that it was given to, or the
// general one after the specific one gave it up. What the other one demands is met
// by a consent to it, or by one that is as strong and means the same, unless for a time
// no policy declared the purpose.
func (p Policies) overruled(to Agreement, id policy.PurposeID, at deadline.Instant) *Staleness {
	if !p.special(to.Policy) && (!to.GaveUp || !p.specific(to.Policy)) {
		return nil
	}

	v, is, ok := p.Declaring(id, at)
	if !ok || v.Document.Name == to.Policy || is.Basis != policy.BasisConsent {
		return nil
	}
	if own := p.binding(to.Policy, at); v.Document.Over == "" && (!to.GaveUp || own == nil || own.declares(id)) {
		return nil // two policies that declare it side by side
	}

	was := policy.Purpose{}
	if i := p.index(to.Version); i >= 0 {
		was, _ = p.versions[i].Document.Purpose(id)
	}

	s := &Staleness{By: v, Specific: true, Separate: is.Separate && !was.Separate && !to.Alone}
	was.Separate = is.Separate // it was looked at by itself
	s.Whole, s.Added = policy.Uncovered(was, is)
	s.Whole = s.Whole || to.GaveUp && p.lapsed(id, to.Version, at)
	if s.Whole = s.Whole || s.Separate; !s.Whole && s.Added.Purpose == "" {
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
		func(v Policy) bool { return v.Document.Name == name && v.Document.Over != "" })
}

// Adds reports whether agreeing to the version h would be agreeing to more than
// a consent covers, stale or not. To agree late to an old text is to agree to the
// old text.
func (p Policies) Adds(id policy.PurposeID, to Agreement, stale bool, h content.Hash) bool {
	i, j := p.index(to.Version), p.index(h)
	if i < 0 || j < 0 {
		return false
	}
	if d := &p.versions[j].Document; d.Name != to.Policy {
		return stale && d.Over != ""
	}

	for k := range p.versions {
		if !p.follows(k, i) || k != j && !p.follows(j, k) {
			continue
		}
		if whole, added := p.makesStale(p.versions[k], id, to.Version); whole || added.Purpose != "" {
			return true
		}
	}
	return false
}

// Precedes reports whether a grant to the version a may stand although what the
// version b added was refused: a took over before b, or is of the general policy
// and b of a specific one.
func (p Policies) Precedes(a, b content.Hash) bool {
	i, j := p.index(a), p.index(b)
	if i < 0 || j < 0 {
		return false
	}
	d, e := &p.versions[i].Document, &p.versions[j].Document
	return p.follows(j, i) || d.Name != e.Name && d.Over == "" && e.Over != ""
}

// MayMakeStale reports whether consents to earlier versions, or to another policy, may be
// stale since the version of that hash binds. Whether one is, its history says.
func (p Policies) MayMakeStale(version content.Hash) bool {
	v, ok := p.Version(version)
	if !ok {
		return false
	}
	if len(v.Stale)+len(v.Scopes) > 0 || p.special("") {
		return true
	}

	for i := range p.versions {
		for _, later := range p.versions[i].Later {
			if later.Version == version && len(later.Stale)+len(later.Scopes) > 0 {
				return true
			}
		}
	}
	return false
}
