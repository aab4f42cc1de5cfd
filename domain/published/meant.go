package published

import (
	"fmt"
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// Meant finds the version a command means: the one it names, or the one in
// force at the moment at. It is shared: do not change it.
func (p Policies) Meant(name string, h content.Hash, at deadline.Instant) (*Policy, error) {
	if len(p.versions) == 0 {
		return nil, refusal.New(refusal.NoPolicy, "the app has published no policy yet")
	}

	if h != (content.Hash{}) {
		i := p.index(h)
		if i < 0 {
			return nil, refusal.At(refusal.UnknownVersion, "data.version",
				"this version was never published for this app; name the one that was shown")
		}
		return &p.versions[i], nil
	}

	v := p.inForceOf(name, at)
	if v == nil && name == "" {
		v = &p.versions[0] // said before the first version: what was in force first is meant
	}

	if v == nil {
		return nil, refusal.At(refusal.UnknownPolicy, "data.policy",
			fmt.Sprintf("no version of policy %s was in force then; name the version that was shown",
				refusal.Quote(name)))
	}
	return v, nil
}

// Declares reports whether some version declares a purpose.
func (p Policies) Declares(id policy.PurposeID) bool {
	for _, v := range p.versions {
		if _, ok := v.Document.Purpose(id); ok {
			return true
		}
	}
	return false
}

// Bound returns the purposes that a permission is bound to, and whether any version
// names it: all those of every version that has begun to bind, since people agreed to
// each of them; of one that only a later version names, those of that.
func (p Policies) Bound(id policy.PermissionID, now deadline.Instant) (purposes []policy.PurposeID, known bool) {
	begun := false
	for i := range p.versions {
		v := &p.versions[i]
		permission, names := v.Document.Permission(id)
		if !names || begun && v.Effective > now {
			continue
		}
		if known = true; !begun && v.Effective <= now {
			begun, purposes = true, nil
		}
		for _, of := range permission.Purposes {
			if !slices.Contains(purposes, of) {
				purposes = append(purposes, of)
			}
		}
	}
	return purposes, known
}

// IsSignal reports whether an act is a machine's signal, by itself or since a version says so.
func (p Policies) IsSignal(act policy.ActID) bool {
	return act != "" && (policy.IsSignal(act) || slices.ContainsFunc(p.versions, func(v Policy) bool {
		a, _ := v.Document.Act(act)
		return a.Signal
	}))
}
