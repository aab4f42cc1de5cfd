package rest

import (
	"testing"

	"consentledger/domain/deadline"
	"consentledger/projections/consents"
)

// People are counted at the end of a day that is past. Of the day that it is, and of no day, it is now
// that is asked, to the millisecond: somebody's consent may have run out an hour ago.
func TestADayIsAskedAtItsEndAndTodayIsNow(t *testing.T) {
	now, err := deadline.ParseInstant("2026-03-02T14:30:00.000Z")
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[string]consents.When{
		"":           consents.Now(now),
		"2026-03-02": consents.Now(now),
		"2026-03-01": consents.EndOf(now.Add(-deadline.Day)),
	} {
		if got, err := whenOf(day, now); err != nil || got != want {
			t.Errorf("%q is %+v, want %+v, %v", day, got, want, err)
		}
	}
	for _, day := range []string{"2026-03-03", "today"} {
		if got, err := whenOf(day, now); err == nil {
			t.Errorf("%q is %+v", day, got)
		}
	}
}
