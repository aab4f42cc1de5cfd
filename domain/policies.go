package domain

import (
	"cmp"
	"slices"
	"strings"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// Policies is every version of every policy of one app, in the order of their
// publication. The zero Policies is empty.
type Policies struct {
	versions []PolicyPublished
	ruleSets []content.Hash // of each version
	opening  []string       // the kinds of facts that open a duty in some version
}

// Versions returns the versions in the order of their publication. The slice
// is shared: do not change it.
func (p Policies) Versions() []PolicyPublished { return p.versions }

// Version returns the version with that hash.
func (p Policies) Version(h content.Hash) (PolicyPublished, bool) {
	for i := range p.versions {
		if p.versions[i].Version == h {
			return p.versions[i], true
		}
	}
	return PolicyPublished{}, false
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
func (p Policies) InForce(name string, at deadline.Instant) (PolicyPublished, bool) {
	if v := p.inForceOf(name, at); v != nil {
		return *v, true
	}
	return PolicyPublished{}, false
}

// inForceOf is [Policies.InForce] without a copy, nil if there is none.
func (p Policies) inForceOf(name string, at deadline.Instant) *PolicyPublished {
	if name == "" && len(p.versions) > 0 {
		name = p.versions[0].Document.Name
	}
	return p.binding(name, at)
}

// binding returns the version of the named policy that binds at the moment at,
// nil if none does. It is shared: do not change it.
func (p Policies) binding(name string, at deadline.Instant) *PolicyPublished {
	var found *PolicyPublished
	for i := range p.versions {
		v := &p.versions[i]
		if v.Document.Name == name && v.Effective != 0 && v.Effective <= at &&
			(found == nil || v.Effective >= found.Effective) {
			found = v
		}
	}
	return found
}

// A bindings is every policy's version that binds at a moment, the specific ones
// first: they prevail, and the general one fills their gaps. The versions are
// shared, for every yes looks here: do not change them.
type bindings []*PolicyPublished

// inForce returns the versions that bind at the moment at.
func (p Policies) inForce(at deadline.Instant) bindings {
	found := make(bindings, 0, 4)
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
	for _, v := range p.inForce(at) {
		for _, q := range v.Document.Purposes {
			if !slices.Contains(ids, q.ID) {
				ids = append(ids, q.ID)
			}
		}
	}
	return ids
}

// declaring returns the version of whichever policy declares the purpose and
// prevails.
func (b bindings) declaring(id policy.PurposeID) (*PolicyPublished, policy.Purpose, bool) {
	for _, v := range b {
		if purpose, ok := v.Document.Purpose(id); ok {
			return v, purpose, true
		}
	}
	return nil, policy.Purpose{}, false
}

// declaring is that of the versions in force at the moment at.
func (p Policies) declaring(id policy.PurposeID, at deadline.Instant) (PolicyPublished, policy.Purpose, bool) {
	if v, purpose, ok := p.inForce(at).declaring(id); ok {
		return *v, purpose, true
	}
	return PolicyPublished{}, policy.Purpose{}, false
}

// named returns the version that q names and its purpose, if it was ever in
// force by then.
func (p Policies) named(q Question) (PolicyPublished, policy.Purpose, bool) {
	v, ok := p.Version(q.Version)
	if !ok || v.Effective > q.At {
		return PolicyPublished{}, policy.Purpose{}, false
	}
	purpose, ok := v.Document.Purpose(q.Purpose)
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
func (p Policies) after(since content.Hash, at deadline.Instant) []PolicyPublished {
	i := p.index(since)
	if i < 0 {
		return nil
	}
	var list []PolicyPublished
	for j := range p.versions { // without a copy: nearly always nothing came after it
		if p.versions[j].Effective <= at && p.follows(j, i) {
			list = append(list, p.versions[j])
		}
	}
	inTurn(list)
	return list
}

// inTurn orders versions by when they took over.
func inTurn(list []PolicyPublished) {
	slices.SortStableFunc(list, func(a, b PolicyPublished) int { return cmp.Compare(a.Effective, b.Effective) })
}

// Evolve returns p as it is after f.
func (p Policies) Evolve(f Fact) Policies { return p.Fold(f, Shared) }

// Fold is [Policies.Evolve] for a caller who owns as much of p as it says.
func (p Policies) Fold(f Fact, own Own) Policies {
	switch e := f.Event.(type) {
	case PolicyPublished:
		return Policies{Grow(own, p.versions, e), Grow(own, p.ruleSets, policy.RuleSet(e.Document.DeadlineRules)),
			opens(&e.Document, p.opening)}
	default:
		mustBeIdle(e, PolicyNoun) // of one that begins to bind the version itself says from when on
	}
	return p
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

// Decide answers cmd with the facts it makes true. What is published already
// is no news: no facts, no error.
func (p Policies) Decide(cmd Command, by By, recorded deadline.Instant) ([]Event, error) {
	if err := checkDoor(by, cmd); err != nil {
		return nil, err
	}
	switch cmd := cmd.(type) {
	case PublishPolicy:
		return p.publish(cmd, recorded)
	case Say:
		if e, ok := cmd.Event.(PolicyEffective); ok {
			return p.begin(e, recorded)
		}
	}
	return nil, refuse(WrongStream, "a policy stream takes policy.published and policy.effective only")
}

func (p Policies) publish(cmd PublishPolicy, recorded deadline.Instant) ([]Event, error) {
	if known, ok := p.Version(cmd.Version); ok {
		return nil, p.again(cmd, &known, recorded)
	}
	if problems := cmd.Document.Check(); len(problems) > 0 {
		return nil, refuseAt(PolicyInvalid, problems[0].Path, problems[0].Message)
	}

	e := PolicyPublished{
		Version: cmd.Version, Document: cmd.Document, Effective: max(cmd.Effective, recorded),
		Material: cmd.Material, Stale: cmd.Stale, Scopes: cmd.Scopes,
	}
	if err := p.compare(&e); err != nil {
		return nil, err
	}

	for _, s := range e.Scopes {
		if _, ok := e.Document.Purpose(s.Purpose); !ok {
			return nil, refuseAt(UnknownPurpose, "scopes",
				"scopes name "+Quote(string(s.Purpose))+", which this version does not declare")
		}
	}

	for _, id := range e.Stale {
		if _, ok := e.Document.Purpose(id); !ok {
			return nil, refuseAt(UnknownPurpose, "stale",
				"stale names "+Quote(string(id))+", which this version does not declare")
		}
	}

	if e.Effective > recorded {
		return []Event{e}, nil
	}
	return []Event{e, PolicyEffective{e.Version}}, nil
}

// As returns p as it will be once a version is published that binds from a moment
// on, with what its publisher must declare and nothing more. Of one that is published
// already nothing changes.
func (p Policies) As(v PublishPolicy, from deadline.Instant) Policies {
	if p.index(v.Version) >= 0 {
		return p
	}
	e := PolicyPublished{Version: v.Version, Document: v.Document, Effective: from}
	if before, ok := p.InForce(v.Document.Name, from); ok {
		e.Material = p.Compare(before.Version, v.Document, from).Material
	}
	if err := p.compare(&e); err != nil {
		panic("domain: what a version changes was declared, and is refused: " + err.Error())
	}
	return p.Fold(Fact{Event: e}, Shared)
}

// again refuses to publish a version a second time, if that asks for something
// else than is recorded: a version is published once. What is as it was asked for
// is no news.
func (p Policies) again(cmd PublishPolicy, known *PolicyPublished, recorded deadline.Instant) error {
	const way = ": to publish it otherwise, change the document, be it in its title"

	if cmd.Effective > recorded && cmd.Effective != known.Effective {
		return refuseAt(AlreadyPublished, "effective",
			"this version was published before, to bind from "+known.Effective.String()+way)
	}
	if cmd.Effective <= recorded && known.Effective > recorded {
		return refuseAt(AlreadyPublished, "effective",
			"this version was published before, and binds only from "+known.Effective.String()+way)
	}
	if now := p.binding(known.Document.Name, recorded); known.Effective <= recorded && now != nil &&
		now.Version != known.Version {
		return refuseAt(AlreadyReplaced, "document",
			"this version was published before, and "+now.Version.String()+" has taken its place"+way)
	}

	for _, kind := range cmd.Material {
		if !slices.Contains(known.Material, kind) {
			return refuseAt(AlreadyPublished, "material",
				"this version was published before, without the material change "+QuoteCode(kind)+
					", as one that makes "+cmp.Or(strings.Join(known.Material, ", "), "none")+way)
		}
	}
	for _, id := range cmd.Stale {
		if !slices.Contains(known.Stale, id) {
			return refuseAt(AlreadyPublished, "stale",
				"this version was published before, and "+Quote(string(id))+" is not asked again because of it"+way)
		}
	}
	return nil
}

// Overtakes returns the versions of the same policy that were published before
// the version with that hash and take its place later.
func (p Policies) Overtakes(h content.Hash) []PolicyPublished {
	i := p.index(h)
	var list []PolicyPublished
	for j := range max(i, 0) {
		if p.follows(j, i) {
			list = append(list, p.versions[j])
		}
	}
	inTurn(list)
	return list
}

// begin answers PolicyEffective once the version's time has come.
func (p Policies) begin(e PolicyEffective, recorded deadline.Instant) ([]Event, error) {
	v, ok := p.Version(e.Version)
	switch {
	case !ok:
		return nil, refuseAt(UnknownVersion, "data.version", "this version was never published for this app")
	case v.Effective > recorded:
		return nil, refuseAt(AtInFuture, "data.version", "this version does not bind yet")
	}
	return []Event{e}, nil
}
