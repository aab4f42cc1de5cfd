package law

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"consentledger/domain/deadline"
)

func TestAProjectionOfMoreThanAYearIsRefused(t *testing.T) {
	const file = `{"jurisdiction": "CN", "years": {},
		"2027": {"projection_blocks_only_for_the_fewest_working_days_bound": [["2027-01-01", "9999-12-31"]]}}`
	_, err := Publish(deadline.Calendars{}, []byte(file), "CN")
	if err == nil || !strings.Contains(err.Error(), "2027: projection: 2027-01-01 to 9999-12-31 is more than a year") {
		t.Errorf("%v", err)
	}
}

// FuzzPublish holds that whatever a file of calendars says is refused and leaves what is known
// as it was, or is of days that there are.
func FuzzPublish(f *testing.F) {
	f.Add(workdaysFile)
	f.Add(reportedFile)
	f.Add([]byte(`{"off": ["2027-01-01"], "makeup": ["2027-01-02"], "adds_to": "CN"}`))
	f.Add([]byte(`{"off": ["2027-05-01"], "makeup": [], "jurisdiction": "EU"}`))
	known, err := Calendars()
	if err != nil {
		f.Fatal(err)
	}
	before := known.Published()

	f.Fuzz(func(t *testing.T, file []byte) {
		after, err := Publish(known, file, "CN")
		if got := known.Published(); !reflect.DeepEqual(got, before) {
			t.Fatalf("what was known was changed: %v", got)
		}
		if err != nil {
			return
		}
		for _, k := range after.Published() {
			for _, d := range slices.Concat(k.Off, k.MakeUp) {
				if again, err := deadline.ParseDate(d.String()); err != nil || again != d {
					t.Fatalf("%s of %d: %s: %v", k.Jurisdiction, k.Year, d, err)
				}
			}
		}
	})
}
