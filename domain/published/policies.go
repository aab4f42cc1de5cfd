package published

import (
	"cmp"
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/lists"
	"consentledger/domain/policy"
)

// A Policy is a version of a policy, whole, as it was published.
type Policy struct {
	Version       content.Hash // of the document's canonical form
	Document      policy.Document
	Effective     deadline.Instant    // when it binds
	Material      []string            // the kinds of material change that the publisher declares
	Stale         []policy.PurposeID  // purposes whose earlier consents must be asked for again, whole
	Scopes        []policy.StaleScope // methods and categories that earlier consents do not cover
	RightsReduced bool                // who does not agree explicitly keeps the older promises
	Later         []Overtaking        // what versions that were published before and take over later change of this one
}

// An Overtaking is what a version changes of another than the one that it was
// compared with when it was published.
type Overtaking struct {
	Version       content.Hash // the one that takes over
	Stale         []policy.PurposeID
	Scopes        []policy.StaleScope
	RightsReduced bool
}

// Policies is every version of every policy of one app, in the order of their
// publication. The zero PublishedPolicies is empty.
type Policies struct {
	versions []Policy
	ruleSets []content.Hash // of each version
	opening  []string       // the kinds of facts that open a duty in some version
}

// Versions returns the versions in the order of their publication. The slice
// is shared: do not change it.
func (p Policies) Versions() []Policy { return p.versions }

// Version returns the version with that hash.
func (p Policies) Version(h content.Hash) (Policy, bool) {
	for i := range p.versions {
		if p.versions[i].Version == h {
			return p.versions[i], true
		}
	}
	return Policy{}, false
}

// RuleSet returns the [policy.RuleSet] of the version with that hash; zero if there is
// no such version, or it has no deadline rules.
func (p Policies) RuleSet(version content.Hash) content.Hash {
	if i := p.index(version); i >= 0 {
		return p.ruleSets[i]
	}
	return content.Hash{}
}

// InForce returns the version of the named policy that binds at the moment at.
// An empty name means the app's first policy.
func (p Policies) InForce(name string, at deadline.Instant) (Policy, bool) {
	if v := p.inForceOf(name, at); v != nil {
		return *v, true
	}
	return Policy{}, false
}

// inForceOf is [Policies.InForce] without a copy, nil if there is none.
func (p Policies) inForceOf(name string, at deadline.Instant) *Policy {
	if name == "" && len(p.versions) > 0 {
		name = p.versions[0].Document.Name
	}
	return p.binding(name, at)
}

// binding returns the version of the named policy that binds at the moment at,
// nil if none does. It is shared: do not change it.
func (p Policies) binding(name string, at deadline.Instant) *Policy {
	var found *Policy
	for i := range p.versions {
		v := &p.versions[i]
		if v.Document.Name == name && v.Effective != 0 && v.Effective <= at &&
			(found == nil || v.Effective >= found.Effective) {
			found = v
		}
	}
	return found
}

// A Bindings is every policy's version that binds at a moment, the specific ones
// first: they prevail, and the general one fills their gaps. The versions are
// shared, for every grant looks here: do not change them.
type Bindings []*Policy

// AllInForce returns the versions that bind at the moment at.
func (p Policies) AllInForce(at deadline.Instant) Bindings {
	found := make(Bindings, 0, 4)
	general := 0 // how many of found, the last, are
	for i := range p.versions {
		name := p.versions[i].Document.Name
		if p.first(name) < i {
			continue
		}
		switch v := p.binding(name, at); {
		case v == nil:
		case v.Document.Over != "":
			found = slices.Insert(found, len(found)-general, v)
		default:
			found = append(found, v)
			general++
		}
	}
	return found
}

// first returns which version is the first of the named policy.
func (p Policies) first(name string) int {
	for i := range p.versions {
		if p.versions[i].Document.Name == name {
			return i
		}
	}
	return len(p.versions)
}

// Declared returns the purposes that the policies in force at a moment
// declare, in their order.
func (p Policies) Declared(at deadline.Instant) []policy.PurposeID {
	var ids []policy.PurposeID
	for _, v := range p.AllInForce(at) {
		for _, q := range v.Document.Purposes {
			if !slices.Contains(ids, q.ID) {
				ids = append(ids, q.ID)
			}
		}
	}
	return ids
}

// Declaring returns the version of whichever policy declares the purpose and
// prevails.
func (b Bindings) Declaring(id policy.PurposeID) (*Policy, policy.Purpose, bool) {
	for _, v := range b {
		if purpose, ok := v.Document.Purpose(id); ok {
			return v, purpose, true
		}
	}
	return nil, policy.Purpose{}, false
}

// Declaring is that of the versions in force at the moment at.
func (p Policies) Declaring(id policy.PurposeID, at deadline.Instant) (Policy, policy.Purpose, bool) {
	if v, purpose, ok := p.AllInForce(at).Declaring(id); ok {
		return *v, purpose, true
	}
	return Policy{}, policy.Purpose{}, false
}

// Named returns the version with that hash and its purpose, if it was in force by the
// moment at.
func (p Policies) Named(
	h content.Hash, id policy.PurposeID, at deadline.Instant,
) (Policy, policy.Purpose, bool) {
	v, ok := p.Version(h)
	if !ok || v.Effective > at {
		return Policy{}, policy.Purpose{}, false
	}
	purpose, ok := v.Document.Purpose(id)
	return v, purpose, ok
}

// index returns which version has that hash, -1 if none has. Nearly always the
// last is meant.
func (p Policies) index(h content.Hash) int {
	for i := len(p.versions) - 1; i >= 0; i-- {
		if p.versions[i].Version == h {
			return i
		}
	}
	return -1
}

// follows reports whether the version j takes over after the version i of the
// same policy did, in whatever order they were published.
func (p Policies) follows(j, i int) bool {
	a, b := &p.versions[i], &p.versions[j]
	if a.Document.Name != b.Document.Name || i == j {
		return false
	}
	return b.Effective > a.Effective || b.Effective == a.Effective && j > i
}

// after returns the versions of one policy that took over after since and bind
// by the moment at, in the order in which they took over.
func (p Policies) after(since content.Hash, at deadline.Instant) []Policy {
	i := p.index(since)
	if i < 0 {
		return nil
	}
	var list []Policy
	for j := range p.versions { // without a copy: nearly always nothing came after it
		if p.versions[j].Effective <= at && p.follows(j, i) {
			list = append(list, p.versions[j])
		}
	}
	inTurn(list)
	return list
}

// inTurn orders versions by when they took over.
func inTurn(list []Policy) {
	slices.SortStableFunc(list, func(a, b Policy) int { return cmp.Compare(a.Effective, b.Effective) })
}

// With returns p with one more version, for a caller who owns as much of p as it says.
func (p Policies) With(v Policy, own lists.Own) Policies {
	return Policies{
		versions: lists.Add(own, p.versions, v),
		ruleSets: lists.Add(own, p.ruleSets, policy.RuleSet(v.Document.DeadlineRules)),
		opening:  opens(&v.Document, p.opening),
	}
}

// opens returns kinds with those of facts that open a duty in the document.
func opens(d *policy.Document, kinds []string) []string {
	note := func(kind string) {
		if kind != "" && !slices.Contains(kinds, kind) {
			kinds = append(slices.Clip(kinds), kind)
		}
	}

	for _, duty := range d.Duties {
		for _, kind := range duty.On {
			note(kind)
		}
	}

	for _, p := range d.Purposes {
		note(p.KeepAfter)
	}
	return kinds
}

// Open reports whether a fact of a kind opens a duty in some version.
func (p Policies) Open(kind string) bool { return slices.Contains(p.opening, kind) }

// Overtakes returns the versions of the same policy that were published before
// the version with that hash and take its place later.
func (p Policies) Overtakes(h content.Hash) []Policy {
	i := p.index(h)
	var list []Policy
	for j := range max(i, 0) {
		if p.follows(j, i) {
			list = append(list, p.versions[j])
		}
	}
	inTurn(list)
	return list
}
