package auditreport_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/domain/domaintest"
)

func TestEveryEventThatIsCountedHasACase(t *testing.T) {
	domaintest.Cases(t, domain.InReport, "count.go count", "stand.go follow")
}
