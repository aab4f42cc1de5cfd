package domain

import (
	"testing"

	"consentledger/domain/internal/form/formtest"
	"consentledger/domain/surface"
)

func TestEveryValueHasOneText(t *testing.T) {
	formtest.Pairs(t, surface.ParseState, "", "unticked", "ticked", "button")
	formtest.Pairs(t, ParseQuality, "", "imported", "weak", "partial", "strong")
	formtest.Pairs(t, ParseAgeBand, "", "under-14", "14", "15-17", "adult")
	formtest.Pairs(t, ParseExemptionList, "", "collect", "provide")
}
