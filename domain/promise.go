package domain

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/published"
)

// A Promise is a duty that a fact opens, as one version of a policy has it.
type Promise struct {
	Duty    policy.DutyRule
	Rules   []deadline.Rule
	Version content.Hash
	Purpose policy.PurposeID // of which data are kept for a period; empty: the duty is of all that the fact is about
}

// Retained returns what a fact of a kind, about a scope of purposes, opens by
// the periods for which the policies keep data: to delete them, or make them
// anonymous, once the period is over. What is said in words alone opens
// nothing. It opens beside what the policies' duties say: the earliest binds.
func (ref Reference) Retained(s Subject, kind string, scope policy.Scope, at deadline.Instant) []Promise {
	var found []Promise
	var seen []policy.PurposeID
	for _, now := range ref.Policies.AllInForce(at) {
		v, ok := ref.Promised(s, now.Document.Name, at)
		if !ok {
			continue
		}
		for _, q := range v.Document.Purposes {
			if slices.Contains(seen, q.ID) {
				continue
			}
			if seen = append(seen, q.ID); q.KeepAfter == kind && scope.Covers(q.ID) {
				rule := published.Retention(q, v.Document)
				d := policy.DutyRule{ID: string(rule.ID), Section: q.Section, On: []string{kind},
					Kind: policy.DutyDelete, Rules: []deadline.RuleID{rule.ID}, Each: policy.DutyEachSystem,
					MetBy: []string{"data.deleted", "restriction.applied"}}
				found = append(found, Promise{d, []deadline.Rule{rule}, v.Version, q.ID})
			}
		}
	}
	return found
}

// Promised returns the version whose promises bind a person at the moment at.
// Who was there before a version that reduces rights, and has agreed explicitly
// neither to it nor to a later one, keeps the one before it, however many
// versions came since. An empty name means the app's first policy.
func (ref Reference) Promised(s Subject, name string, at deadline.Instant) (published.Policy, bool) {
	now, ok := ref.Policies.InForce(name, at)
	if !ok || s.since == 0 || !ref.Policies.Reduced(at) {
		return now, ok
	}

	history := ref.Policies.History(now.Document.Name, at)
	kept := 0 // the newest that the person came under, or agreed to
	for i := range history {
		if history[i].Effective <= s.since || s.explicitlyAgreed(history[i].Version, ref, at) {
			kept = i
		}
	}

	for kept+1 < len(history) && !history[kept+1].Reduces(history[kept]) {
		kept++
	}
	return history[kept], true
}

// explicitlyAgreed reports whether the person agreed to a version by more than
// a general "Agree", in a way that counts for something.
func (s *Subject) explicitlyAgreed(v content.Hash, ref Reference, at deadline.Instant) bool {
	for _, y := range s.said {
		if y.no != 0 || y.kind == policy.NoConsent || y.kind == policy.GeneralConsent || y.Later() > at ||
			y.given().Version != v {
			continue
		}
		if !isVoided(y, &ref) && !s.tooYoung(y, at) &&
			slices.ContainsFunc(y.items, func(i Item) bool { return i.Short == "" }) {
			return true
		}
	}
	return false
}

// Promises returns the duties that a fact of a kind, with these members, opens
// at a moment, as they were promised to s: the zero Subject for what is about
// nobody. Of duties with one id in several policies, that of the specific one
// prevails, also where it does not open.
func (ref Reference) Promises(s Subject, kind string, members []policy.Field, at deadline.Instant) []Promise {
	var found []Promise
	var seen []string
	for _, now := range ref.Policies.AllInForce(at) {
		v, ok := ref.Promised(s, now.Document.Name, at)
		if !ok {
			continue
		}
		for _, d := range v.Document.Duties {
			if slices.Contains(seen, d.ID) {
				continue
			}
			if seen = append(seen, d.ID); d.Opens(kind, members) {
				found = append(found, Promise{Duty: d, Rules: v.Document.RulesOf(d.Rules), Version: v.Version})
			}
		}
	}
	return found
}
