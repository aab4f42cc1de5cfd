package cases_test

import (
	"slices"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
)

// An incident is in one of the states that are said to be open or over after every kind of its steps, and is over
// in the latter alone; each of these states is one that some step leads to.
func TestEveryStateOfAnIncidentIsOpenOrOver(t *testing.T) {
	open, over := cases.OpenIncidents(), cases.OverIncidents()
	var led []string
	for n, rule := range catalog.StepRules {
		if rule.Of != catalog.Incident {
			continue
		}
		var i cases.Incident
		for at, kind := range []catalog.Step{"incident.suspected", rule.Kind} {
			i = i.Evolve(Fact{At: deadline.Instant(n + at + 1), Recorded: deadline.Instant(n + at + 1), Event: Stepped{Kind: kind}})
		}
		if slices.Contains(open, i.State) == slices.Contains(over, i.State) || slices.Contains(over, i.State) != i.Over() {
			t.Errorf("after %s it is %q, over: %v", rule.Kind, i.State, i.Over())
		}
		led = append(led, i.State)
	}
	for _, state := range slices.Concat(open, over) {
		if !slices.Contains(led, state) {
			t.Errorf("no step leads to %q", state)
		}
	}
}
