package domain

import "slices"

// A Promise is a duty that a fact opens, as one version of a policy has it.
type Promise struct {
	Duty    DutyRule
	Rules   []DeadlineRule
	Version Hash
}

// Promises returns the duties that a fact of a kind, with these members, opens
// at a moment, as they were promised to s: the zero Subject for what is about
// nobody. Of duties with one id in several policies, that of the specific one
// prevails, also where it does not open.
func (p Policies) Promises(s Subject, kind string, members []Field, at Instant) []Promise {
	var found []Promise
	var seen []string
	for _, now := range p.inForce(at) {
		v, ok := p.Promised(s, now.Document.Name, at)
		if !ok {
			continue
		}
		for _, d := range v.Document.Duties {
			if slices.Contains(seen, d.ID) {
				continue
			}
			if seen = append(seen, d.ID); d.Opens(kind, members) {
				found = append(found, Promise{d, v.Document.rulesOf(d), v.Version})
			}
		}
	}
	return found
}

func (d *Document) rulesOf(duty DutyRule) []DeadlineRule {
	var rules []DeadlineRule
	for _, id := range duty.Rules {
		if r, ok := d.DeadlineRule(id); ok {
			rules = append(rules, r)
		}
	}
	return rules
}

// Reduced reports whether a version that binds at a moment reduces rights: then
// what is promised differs from person to person; see [Policies.Promised].
func (p Policies) Reduced(at Instant) bool {
	return slices.ContainsFunc(p.inForce(at), func(v PolicyPublished) bool { return v.RightsReduced })
}

// Recipients returns who gets personal data for one of a scope's purposes, as
// the policies say that bind at a moment, in their order.
func (p Policies) Recipients(scope Scope, at Instant) []RecipientID {
	var ids []RecipientID
	for _, v := range p.inForce(at) {
		for _, r := range v.Document.Recipients {
			if (scope.All || slices.ContainsFunc(r.Purposes, scope.covers)) && !slices.Contains(ids, r.ID) {
				ids = append(ids, r.ID)
			}
		}
	}
	return ids
}
