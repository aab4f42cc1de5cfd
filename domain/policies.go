package domain

import "fmt"

// Policies is every version of every policy of one app, in the order of their
// publication. The zero Policies is empty.
type Policies struct{ versions []PolicyPublished }

// Versions returns the versions in the order of their publication. The slice
// is shared: do not change it.
func (p Policies) Versions() []PolicyPublished { return p.versions }

// Version returns the version with that hash.
func (p Policies) Version(h Hash) (PolicyPublished, bool) {
	for i := range p.versions {
		if p.versions[i].Version == h {
			return p.versions[i], true
		}
	}
	return PolicyPublished{}, false
}

// InForce returns the version of the named policy that binds at the moment at.
// An empty name means the app's first policy.
func (p Policies) InForce(name string, at Instant) (PolicyPublished, bool) {
	if name == "" && len(p.versions) > 0 {
		name = p.versions[0].Document.Name
	}
	var found PolicyPublished
	for i := range p.versions {
		v := &p.versions[i]
		if v.Document.Name == name && v.Effective <= at && v.Effective >= found.Effective {
			found = *v
		}
	}
	return found, found.Effective != 0
}

// inForce returns every policy's version that binds at the moment at, the
// specific ones first: they prevail, and the general one fills their gaps.
func (p Policies) inForce(at Instant) []PolicyPublished {
	var specific, general []PolicyPublished
	seen := map[string]bool{}
	for _, v := range p.versions {
		name := v.Document.Name
		now, ok := p.InForce(name, at)
		if seen[name] || !ok {
			continue
		}
		seen[name] = true
		if now.Document.Over != "" {
			specific = append(specific, now)
		} else {
			general = append(general, now)
		}
	}
	return append(specific, general...)
}

// Declared returns the purposes that the policies in force at a moment
// declare, in their order.
func (p Policies) Declared(at Instant) []PurposeID {
	var ids []PurposeID
	for _, v := range p.inForce(at) {
		for _, q := range v.Document.Purposes {
			if !has(ids, q.ID) {
				ids = append(ids, q.ID)
			}
		}
	}
	return ids
}

// declaring returns the version in force at the moment at, of whichever policy
// declares the purpose and prevails.
func (p Policies) declaring(id PurposeID, at Instant) (PolicyPublished, Purpose, bool) {
	for _, v := range p.inForce(at) {
		if purpose, ok := v.Document.Purpose(id); ok {
			return v, purpose, true
		}
	}
	return PolicyPublished{}, Purpose{}, false
}

// asked returns the version that q is about: the one it names, or the one in
// force that declares its purpose.
func (p Policies) asked(q Question) (PolicyPublished, Purpose, bool) {
	if q.Version == (Hash{}) {
		return p.declaring(q.Purpose, q.At)
	}
	v, ok := p.Version(q.Version)
	if !ok || v.Effective > q.At {
		return PolicyPublished{}, Purpose{}, false
	}
	purpose, ok := v.Document.Purpose(q.Purpose)
	return v, purpose, ok
}

// staleBy returns the version that made a consent to version since stale for
// the purpose, if one did by the moment at.
func (p Policies) staleBy(id PurposeID, since Hash, at Instant) (PolicyPublished, bool) {
	for _, v := range p.after(since, at) {
		if whole, added := v.makesStale(id); whole || added.Purpose != "" {
			return v, true
		}
	}
	return PolicyPublished{}, false
}

// staleness returns what of a purpose the versions after since changed by the
// moment at: all of it, or what they added.
func (p Policies) staleness(id PurposeID, since Hash, at Instant) (whole bool, added StaleScope) {
	for _, v := range p.after(since, at) {
		w, s := v.makesStale(id)
		whole = whole || w
		added.Actions = append(added.Actions, s.Actions...)
		added.Categories = append(added.Categories, s.Categories...)
	}
	return whole, added
}

// after returns the versions of one policy that came after since and bind by
// the moment at.
func (p Policies) after(since Hash, at Instant) []PolicyPublished {
	var list []PolicyPublished
	name := ""
	for i := range p.versions { // without a copy: nearly always the last is meant, and nothing came after it
		v := &p.versions[i]
		if name != "" && v.Document.Name == name && v.Effective <= at {
			list = append(list, *v)
		}
		if v.Version == since {
			name = v.Document.Name
		}
	}
	return list
}

func (v PolicyPublished) makesStale(id PurposeID) (whole bool, added StaleScope) {
	for _, s := range v.Scopes {
		if s.Purpose == id {
			added = s
		}
	}
	return has(v.Stale, id), added
}

// Promised returns the version whose promises bind a person at the moment at.
// Who was there before a version that reduces rights, and has not agreed to it
// explicitly, keeps the one before.
func (p Policies) Promised(s Subject, name string, at Instant) (PolicyPublished, bool) {
	now, ok := p.InForce(name, at)
	for ok && now.RightsReduced && s.since != 0 && s.since < now.Effective && !s.explicitlyAgreed(now.Version, at) {
		before, found := p.InForce(now.Document.Name, now.Effective-1)
		if !found {
			break
		}
		now = before
	}
	return now, ok
}

// explicitlyAgreed reports whether the person agreed to a version by more than
// a general "Agree".
func (s Subject) explicitlyAgreed(v Hash, at Instant) bool {
	for _, y := range s.said {
		e, ok := y.Event.(ConsentGiven)
		if ok && e.Version == v && !y.voided && y.yesFrom() <= at && e.Kind != NoConsent && e.Kind != GeneralConsent {
			return true
		}
	}
	return false
}

// Evolve returns p as it is after f.
func (p Policies) Evolve(f Fact) Policies {
	switch e := f.Event.(type) {
	case PolicyPublished:
		return Policies{add(p.versions, e)}
	case PolicyEffective:
		return p // the version itself says from when on it binds
	}
	panic(fmt.Sprintf("domain: event %T has no case in Policies.Evolve", f.Event))
}

// Decide answers cmd with the facts it makes true. What is published already
// is no news: no facts, no error.
func (p Policies) Decide(cmd Command, by By, recorded Instant) ([]Event, error) {
	if err := by.checkDoor(cmd); err != nil {
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

func (p Policies) publish(cmd PublishPolicy, recorded Instant) ([]Event, error) {
	if _, known := p.Version(cmd.Version); known {
		return nil, nil
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
			return nil, refuseAt(UnknownPurpose, "scopes", "scopes name "+Quote(string(s.Purpose))+", which this version does not declare")
		}
	}
	for _, id := range e.Stale {
		if _, ok := e.Document.Purpose(id); !ok {
			return nil, refuseAt(UnknownPurpose, "stale", "stale names "+Quote(string(id))+", which this version does not declare")
		}
	}
	if e.Effective > recorded {
		return []Event{e}, nil
	}
	return []Event{e, PolicyEffective{e.Version}}, nil
}

// begin answers PolicyEffective once the version's time has come.
func (p Policies) begin(e PolicyEffective, recorded Instant) ([]Event, error) {
	v, ok := p.Version(e.Version)
	switch {
	case !ok:
		return nil, refuseAt(UnknownVersion, "data.version", "this version was never published for this app")
	case v.Effective > recorded:
		return nil, refuseAt(AtInFuture, "data.version", "this version does not bind yet")
	}
	return []Event{e}, nil
}
