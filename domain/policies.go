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
	for _, v := range p.versions {
		if v.Version == h {
			return v, true
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
	for _, v := range p.versions {
		if v.Document.Name == name && v.Effective <= at && v.Effective >= found.Effective {
			found = v
		}
	}
	return found, found.Effective != 0
}

// declaring returns the version in force at the moment at, of whichever policy
// declares the purpose.
func (p Policies) declaring(id PurposeID, at Instant) (PolicyPublished, Purpose, bool) {
	for _, v := range p.versions {
		now, ok := p.InForce(v.Document.Name, at)
		if !ok {
			continue
		}
		if purpose, ok := now.Document.Purpose(id); ok {
			return now, purpose, true
		}
	}
	return PolicyPublished{}, Purpose{}, false
}

// staleBy returns the version that made a consent to version since stale for
// the purpose, if one did by the moment at.
func (p Policies) staleBy(id PurposeID, since Hash, at Instant) (PolicyPublished, bool) {
	old, ok := p.Version(since)
	if !ok {
		return PolicyPublished{}, false
	}
	after := false
	for _, v := range p.versions {
		if after && v.Document.Name == old.Document.Name && v.Effective <= at {
			for _, s := range v.Stale {
				if s == id {
					return v, true
				}
			}
		}
		after = after || v.Version == since
	}
	return PolicyPublished{}, false
}

// Evolve returns p as it is after f.
func (p Policies) Evolve(f Fact) Policies {
	switch e := f.Event.(type) {
	case PolicyPublished:
		n := len(p.versions)
		return Policies{append(p.versions[:n:n], e)}
	}
	panic(fmt.Sprintf("domain: event %T has no case in Policies.Evolve", f.Event))
}

// Decide answers cmd with the facts it makes true. What is published already
// is no news: no facts, no error.
func (p Policies) Decide(cmd Command, recorded Instant) ([]Event, error) {
	switch cmd := cmd.(type) {
	case PublishPolicy:
		if _, known := p.Version(cmd.Version); known {
			return nil, nil
		}
		if problems := cmd.Document.Check(); len(problems) > 0 {
			return nil, refuse(PolicyInvalid, fmt.Sprint(problems[0]))
		}
		for _, id := range cmd.Stale {
			if _, ok := cmd.Document.Purpose(id); !ok {
				return nil, refuse(UnknownPurpose, fmt.Sprintf("stale names %s, which this version does not declare", Quote(string(id))))
			}
		}
		effective := max(cmd.Effective, recorded)
		return []Event{PolicyPublished{cmd.Version, cmd.Document, effective, cmd.Material, cmd.Stale}}, nil
	}
	return nil, refuse(WrongStream, "a policy stream takes policy.published only")
}
