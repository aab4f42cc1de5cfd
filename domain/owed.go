package domain

import (
	"slices"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

// DutyRules returns the rules by which something may be owed under an app's
// policies, by their names in order: those of every version, and those by which
// the law of a jurisdiction gives a reply that no policy promises.
func (p Policies) DutyRules(jurisdiction string) []deadline.RuleID {
	var rules []deadline.RuleID
	for _, v := range p.Versions() {
		for _, r := range v.Document.DeadlineRules {
			rules = append(rules, r.ID)
		}
	}
	for _, t := range request.Types() {
		rules = append(rules, request.LawReply(jurisdiction, "", t).ID)
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// MayOwe reports whether an obligation of an app can have an id: its kind, what it
// is owed for, if anything, its rule, and a number if a request was opened again.
func (p Policies) MayOwe(id, jurisdiction string) bool {
	if i := strings.LastIndexByte(id, '.'); i >= 0 && i+1 < len(id) && strings.Trim(id[i+1:], "0123456789") == "" {
		id = id[:i]
	}

	rules := p.DutyRules(jurisdiction)
	return slices.ContainsFunc(p.DutyKinds(), func(k policy.DutyKind) bool {
		rest, is := strings.CutPrefix(id, string(k))
		return is && slices.ContainsFunc(rules,
			func(r deadline.RuleID) bool { return strings.HasSuffix(rest, "."+string(r)) })
	})
}
