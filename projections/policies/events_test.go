package policies_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/domain/domaintest"
)

func TestEveryEventThatTheViewDependsOnHasACase(t *testing.T) {
	domaintest.Cases(t, domain.InPolicies, "policies.go apply")
}
