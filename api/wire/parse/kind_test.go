package parse

import (
	"testing"

	"consentledger/domain"
)

func TestNoKindThatIsSentIsTheLedgersOwn(t *testing.T) {
	for _, rule := range domain.NoteRules {
		if _, sent := kinds[string(rule.Kind)]; sent == rule.Own {
			t.Errorf("%s is sent: %v", rule.Kind, sent)
		}
	}
}
