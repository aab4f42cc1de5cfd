package followup_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/domain/domaintest"
)

func TestEveryEventThatSomethingFollowsFromHasACase(t *testing.T) {
	domaintest.Cases(t, domain.InFollowUps, "followup.go learn", "followup.go learnApp", "duties.go learnDuty")
}
