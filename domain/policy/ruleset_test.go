package policy_test

import (
	"reflect"
	"slices"
	"testing"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

var twoRules = []deadline.Rule{
	{ID: "cn.d15", Source: "VII(I)", Unit: deadline.UnitWorkingDay, Length: 15, Calendar: "CN", TimeZone: "Asia/Shanghai", ClockStart: "RequestReceived", Pause: []string{"clarification"}},
	{ID: "eu.72h", Source: "33(1)", Unit: deadline.UnitHour, Length: 72, TimeZone: "Europe/Berlin", Law: true},
}

// TestARuleSetHasOneNameForEver pins a name: facts hold it.
func TestARuleSetHasOneNameForEver(t *testing.T) {
	const want = "sha256:4965a13ddb81183ce0fefc52a02bf90a057ed221ad32370afef22e61962b6fe6"
	if got := policy.RuleSet(twoRules).String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	turned := slices.Clone(twoRules)
	slices.Reverse(turned)
	if policy.RuleSet(turned) != policy.RuleSet(twoRules) {
		t.Error("the order in which rules are written changes the name of their set")
	}
	if policy.RuleSet(nil) != (content.Hash{}) {
		t.Error("no rules have a name")
	}
}

// TestWhateverARuleSaysIsInTheNameOfItsSet changes every field that there is.
func TestWhateverARuleSaysIsInTheNameOfItsSet(t *testing.T) {
	seen := map[content.Hash]string{policy.RuleSet(twoRules): "as it was", policy.RuleSet(twoRules[:1]): "without the last", policy.RuleSet(append(twoRules[:1:1], twoRules[0])): "a rule twice"}
	if len(seen) != 3 {
		t.Fatal("sets of several sizes have one name")
	}
	for i := range reflect.TypeFor[deadline.Rule]().NumField() {
		rules := slices.Clone(twoRules)
		name, field := reflect.TypeFor[deadline.Rule]().Field(i).Name, reflect.ValueOf(&rules[1]).Elem().Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString(field.String() + "x")
		case reflect.Int:
			field.SetInt(field.Int() + 1)
		case reflect.Uint8:
			field.SetUint(field.Uint() ^ 1)
		case reflect.Bool:
			field.SetBool(!field.Bool())
		case reflect.Slice:
			field.Set(reflect.ValueOf([]string{"another"}))
		default:
			t.Fatalf("%s is a %s: say how it changes", name, field.Kind())
		}
		if was, there := seen[policy.RuleSet(rules)]; there {
			t.Errorf("another %s is called as the set %s", name, was)
		}
		seen[policy.RuleSet(rules)] = name
	}
}
