package requests

import (
	"bytes"
	"reflect"
	"testing"

	"consentledger/domain"

	"github.com/go-json-experiment/json"
)

// holes names the fields of a struct that are zero.
func holes(v reflect.Value) (names []string) {
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			names = append(names, v.Type().Field(i).Name)
		}
	}
	return names
}

func TestDetailsAreWrittenAsReflectionWritesThem(t *testing.T) {
	move := Move{Why: "calendar", By: "b", Event: "e", Recorded: 1, Was: 2, WasUntil: 3, Is: 4, IsUntil: 5}
	full := keptV1{
		Person: "00ff", Test: true, Waits: "IdentityVerified", Stands: []string{"clarification"}, CauseEvent: "c", CauseStream: "subject-a-00ff", Opened: 1, OpenedPosition: 2,
		Due: Due{
			Phase: domain.Suspended, Start: 3, DayZero: 4, Date: 5, Day: 6, Until: 7, Over: Never, Risk: 8, Unit: "working_day", TimeZone: "Asia/Shanghai",
			Provisional: true, Gap: 9, Safe: 10, TailExposed: true, Extended: true, Elapsed: 11, Remaining: -12, Counted: "day", Calendars: []string{"CN 2026.1", "CN 2027.1"},
		},
		Held: true, Moves: []Move{move, {}}, Binding: true, Exceeds: true, Outcome: StateMetLate, Settled: 13, SettledPosition: 14, Met: 15, Claimed: 16,
		MetBy: "request.answered", Evidence: "sha256:", Reason: "a \"reason\"\u2028", Days: 17, AtRisk: 18, Overdue: 19, Changed: 20, Events: []string{"e", "f"}, Revision: 21,
	}
	for _, v := range []any{full, full.Due, move} {
		if names := holes(reflect.ValueOf(v)); len(names) > 0 {
			t.Errorf("the full %T has no %v", v, names)
		}
	}
	for _, k := range []keptV1{{}, full, {Days: -1, Moves: []Move{move}}} {
		want, err := json.Marshal(&k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.appendTo(nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: wrote\n%s\nreflection writes\n%s", err, got, want)
		}
	}
}
