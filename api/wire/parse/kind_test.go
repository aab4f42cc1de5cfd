package parse

import (
	"testing"

	"consentledger/domain"
	"consentledger/domain/catalog"
)

func TestNoKindThatIsSentIsTheLedgersOwn(t *testing.T) {
	for _, rule := range catalog.NoteRules {
		if _, sent := kinds[string(rule.Kind)]; sent == rule.Own {
			t.Errorf("%s is sent: %v", rule.Kind, sent)
		}
	}
}

func TestWhatIsSentIsWhatTheTableOfEventsSays(t *testing.T) {
	for _, k := range order {
		_, event := domain.EventRuleOf(k.name)
		_, note := catalog.NoteRuleOf(catalog.Note(k.name))
		_, step := catalog.StepRuleOf(catalog.Step(k.name))
		if !event && !note && !step {
			t.Errorf("%s can be sent, and is in no table of the domain", k.name)
		}
	}
	for _, r := range domain.Events {
		sent := r.By == domain.ByApp || r.By == domain.ByOperator
		if k, known := kinds[r.Name]; known != sent || known && k.name != r.Name {
			t.Errorf("%s can be sent: %v; it should be, by its row in domain.Events, by %s", r.Name, known, r.By)
		}
	}
}
