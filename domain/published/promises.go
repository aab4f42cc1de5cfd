package published

import (
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// Retention returns the rule by which a purpose's data are kept.
func Retention(p policy.Purpose, d policy.Document) deadline.Rule {
	r := deadline.Rule{ID: deadline.RuleID("retention." + string(p.ID)), Source: "retention, " + p.Section,
		Unit: deadline.UnitCalendarDay, Length: p.KeepDays, TimeZone: d.TimeZone, ClockStart: p.KeepAfter}
	if p.KeepMonths > 0 {
		r.Unit, r.Length = deadline.UnitMonth, p.KeepMonths
	}
	return r
}

// Reduces reports whether the version takes rights from persons that the one
// before it gave.
func (v Policy) Reduces(before Policy) bool {
	return v.RightsReduced || slices.ContainsFunc(before.Later,
		func(o Overtaking) bool { return o.Version == v.Version && o.RightsReduced })
}

// History returns the versions of a policy that took over by the moment at, in
// the order in which they did.
func (p Policies) History(name string, at deadline.Instant) []Policy {
	var list []Policy
	for i := range p.versions {
		if v := &p.versions[i]; v.Document.Name == name && v.Effective <= at {
			list = append(list, *v)
		}
	}
	inTurn(list)
	return list
}

// Reduced reports whether a version that took over by a moment reduced rights:
// then what is promised differs from person to person; see [Reference.Promised].
func (p Policies) Reduced(at deadline.Instant) bool {
	return slices.ContainsFunc(p.versions, func(v Policy) bool {
		later := slices.ContainsFunc(v.Later, func(o Overtaking) bool { return o.RightsReduced })
		return (v.RightsReduced || later) && v.Effective <= at
	})
}

// Recipients returns who gets personal data for one of a scope's purposes, as
// the policies say that bind at a moment, in their order.
func (p Policies) Recipients(scope policy.Scope, at deadline.Instant) []policy.RecipientID {
	var ids []policy.RecipientID
	for _, v := range p.AllInForce(at) {
		for _, r := range v.Document.Recipients {
			if (scope.All || slices.ContainsFunc(r.Purposes, scope.Covers)) && !slices.Contains(ids, r.ID) {
				ids = append(ids, r.ID)
			}
		}
	}
	return ids
}

// DutyKinds returns what may be owed under an app's policies, by their names in
// order: what the ledger knows itself, and what any version has a rule for.
func (p Policies) DutyKinds() []policy.DutyKind {
	kinds := []policy.DutyKind{policy.DutyReply, policy.DutyStop, policy.DutyDelete, policy.DutyKeep}
	for _, v := range p.versions {
		for _, d := range v.Document.Duties {
			kinds = append(kinds, d.Kind)
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// NoticeRules returns the rules by which the end of a service is announced, as
// they bind at a moment.
func (p Policies) NoticeRules(at deadline.Instant) []deadline.Rule {
	var rules []deadline.Rule
	for _, v := range p.AllInForce(at) {
		for _, r := range v.Document.DeadlineRules {
			if r.Result == deadline.ResultEarliestEffectiveDate && r.ClockStart == "CessationNoticeDelivered" {
				rules = append(rules, r)
			}
		}
	}
	return rules
}
