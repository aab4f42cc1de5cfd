package cases_test

import (
	"testing"

	. "consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
)

// TestWhatIsOwedNamesItsRuleSet looks at the facts of a request and of a duty,
// and at those of a version with other rules.
func TestWhatIsOwedNamesItsRuleSet(t *testing.T) {
	rules := []deadline.Rule{
		{ID: "cn.d15", Unit: deadline.UnitWorkingDay, Length: 15, Calendar: "CN", TimeZone: "Asia/Shanghai"},
		{ID: "eu.72h", Unit: deadline.UnitHour, Length: 72, TimeZone: "Europe/Berlin", Law: true},
	}
	doc := policy.Document{Name: "privacy", DeadlineRules: rules[:1]}
	other := policy.Document{Name: "privacy", DeadlineRules: rules}
	p := Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}}).Evolve(Fact{Event: PolicyPublished{Version: v2, Document: other, Effective: t0}})
	for version, want := range map[content.Hash]content.Hash{v1: policy.RuleSet(doc.DeadlineRules), v2: policy.RuleSet(rules), {9}: {}} {
		if got := p.RuleSet(version); got != want {
			t.Errorf("version %s: %s, want %s", version, got, want)
		}
		events, err := cases.Duties{}.Decide(OpenDuties{Cause: obligation.Cause{Event: ident.EventID{7}, Kind: "consent.withdrawn"}, Rule: policy.DutyRule{Kind: policy.DutyStop}, Start: t0, Rules: rules[:1], Policy: version},
			Reference{Policies: p, By: ident.By{Actor: ident.System}}, t0, t0)
		if err != nil || len(events) != 1 || events[0].(ObligationOpened).Obligation.RuleSet != want {
			t.Errorf("version %s: %+v, %v", version, events, err)
		}
	}
}
