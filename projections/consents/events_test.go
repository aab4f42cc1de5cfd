package consents_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/domain/domaintest"
)

func TestEveryEventThatTheViewDependsOnHasACase(t *testing.T) {
	domaintest.Cases(t, domain.InConsents, "word.go wordIn", "batch.go entry")
}
