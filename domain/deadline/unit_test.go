package deadline

import (
	"testing"

	"consentledger/domain/internal/form/formtest"
)

func TestEveryValueHasOneText(t *testing.T) {
	formtest.Pairs(t, ParseUnit, "", "working_day", "calendar_day", "hour", "month", "year")
	formtest.Pairs(t, ParseDirection, "forward", "forward", "backward")
	formtest.Pairs(t, ParseRoll, "none", "none", "next_working_day")
	formtest.Pairs(t, ParseResult, "due_date", "due_date", "earliest_effective_date")
}
