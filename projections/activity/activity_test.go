package activity_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/projections/activity"
	"consentledger/projections/projectiontest"
	"consentledger/projections/readmodel"
)

func TestProjection(t *testing.T) {
	projectiontest.Run(t, func(ctx context.Context, place readmodel.Place, _ *ledger.Ledger) (projectiontest.Model, error) {
		return activity.Open(ctx, place)
	})
}

// sums applies entries, so many at a time, and returns how many events of each
// kind there are, how many of them were voided, and how many tests.
func sums(t *testing.T, entries []codec.Entry, slice int) (events, voided map[string]int64, tests int64) {
	t.Helper()
	v, err := activity.Open(t.Context(), projectiontest.Place(t))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for first := 0; first < len(entries); first += slice {
		if err := v.Apply(t.Context(), entries[first:min(first+slice, len(entries))]); err != nil {
			t.Fatal(err)
		}
	}
	days, tests, asOf, err := v.Totals(t.Context(), projectiontest.App, "0001-01-01", "9999-12-31")
	if err != nil || asOf != entries[len(entries)-1].Position {
		t.Fatalf("as of %d: %v", asOf, err)
	}
	events, voided = map[string]int64{}, map[string]int64{}
	for _, d := range days {
		events[d.Kind] += d.Events
		voided[d.Kind] += d.Voided
		if d.Events <= 0 || d.Voided < 0 || d.Voided > d.Events {
			t.Errorf("%+v", d)
		}
	}
	checkAnswers(t, v, days)
	checkHours(t, v, entries, days)
	maps.DeleteFunc(voided, func(_ string, n int64) bool { return n == 0 })
	return events, voided, tests
}

// checkHours finds the hours of each day to come to the day, and events only in hours in which something
// was recorded.
func checkHours(t *testing.T, v *activity.View, entries []codec.Entry, days []activity.Day) {
	t.Helper()
	recorded := map[string]bool{}
	for _, e := range entries {
		recorded[e.Recorded.Time().UTC().Format("2006-01-02T15")] = true
	}
	hours, _, _, err := v.Hours(t.Context(), projectiontest.App, "0001-01-01", "9999-12-31")
	got := map[activity.Day]activity.Day{}
	for _, h := range hours {
		if !recorded[h.Day] {
			t.Errorf("nothing was recorded in the hour of %+v", h)
		}
		k := activity.Day{Day: h.Day[:10], Kind: h.Kind}
		got[k] = activity.Day{Day: k.Day, Kind: k.Kind, Events: got[k].Events + h.Events, Voided: got[k].Voided + h.Voided}
	}
	want := map[activity.Day]activity.Day{}
	for _, d := range days {
		want[activity.Day{Day: d.Day, Kind: d.Kind}] = d
	}
	if err != nil || !maps.Equal(got, want) || len(hours) < len(days) {
		t.Errorf("hours come to %v, want %v: %v", got, want, err)
	}
}

// checkAnswers finds as many answers on each day as events of their kinds that were not voided.
func checkAnswers(t *testing.T, v *activity.View, days []activity.Day) {
	t.Helper()
	kinds := []string{"consent.given", "consent.refused", "consent.withdrawn"}
	want, got := map[string]int64{}, map[string]int64{}
	for _, d := range days {
		if slices.Contains(kinds, d.Kind) && d.Events > d.Voided {
			want[d.Day] += d.Events - d.Voided
		}
	}
	last := ""
	all := activity.Stretch{Span: activity.Days, First: "0001-01-01", Last: "9999-12-31"}
	count := func(part activity.Part, stretch activity.Stretch, add func(string, activity.Shown, int64)) activity.Count {
		var shown []activity.Shown
		return activity.Count{Part: part, Stretches: []activity.Stretch{stretch}, Place: func(s activity.Shown) (int, bool) {
			shown = append(shown, s)
			return len(shown) - 1, true
		}, Add: func(first string, at int, n int64) { add(first, shown[at], n) }}
	}
	sum := map[string]int64{}
	counts := []activity.Count{count(activity.Whole, all, func(day string, s activity.Shown, n int64) {
		if got[day] += n; n <= 0 || day < last || s.Answer == "" {
			t.Errorf("%s after %s: %d of %+v", day, last, n, s)
		}
		last = day
		sum["all"] += n
		sum["purposes"] += n * int64(max(1, len(s.Purposes)))
	})}
	for _, part := range []activity.Part{activity.Whole, activity.ByPurpose, activity.ByVersion, activity.ByLanguage, activity.ByScreen} {
		for _, span := range []activity.Span{activity.Days, activity.Weeks} {
			stretch := all
			stretch.Span = span
			counts = append(counts, count(part, stretch, func(first string, s activity.Shown, n int64) {
				sum[string(part)+"/"+string(span)] += n
				if day, err := time.Parse(time.DateOnly, first); err != nil || span == activity.Weeks && day.Weekday() != time.Monday {
					t.Errorf("a %s begins on %s: %v", span, first, err)
				}
			}))
		}
	}
	_, err := v.Answers(t.Context(), projectiontest.App, counts...)
	for name, n := range sum {
		if want := sum["all"]; n != want && !(strings.HasPrefix(name, "purpose") && n == sum["purposes"]) {
			t.Errorf("%s: %d answers, want %d", name, n, want)
		}
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("answers %v, want %v: %v", got, want, err)
	}
}

func TestEveryEventOfNoTestIsInTheTotalsOnce(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	all := w.Entries()
	tests := map[string]bool{w.Pseudonym("monkey"): true, w.Pseudonym("monkey2"): true}
	owners := map[ident.StreamID]string{}
	want := map[string]int64{}
	for _, e := range all {
		if x, is := e.Event.(domain.RequestReceived); is {
			owners[e.Stream] = x.Subject
		}
		if !tests[e.Stream.ID] && !tests[owners[e.Stream]] {
			want[e.Kind()]++
		}
	}
	events, _, left := sums(t, all, len(all))
	if !maps.Equal(events, want) || left != 2 {
		t.Errorf("%d tests, %v, want %v", left, events, want)
	}
}

func TestTestsAreLeftOutAndVoidsCounted(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	yes := domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"location", "marketing"}, Build: "bad"}
	void := func(r ledger.Receipt) {
		w.Tell("robot", domain.VoidRecords{Records: []ident.EventID{ident.EventID(r.Event)}, Reason: "mistake", Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}})
	}
	var first, mark, again ledger.Receipt
	for _, tt := range []struct {
		name                 string
		tell                 func()
		given, voided, tests int64
	}{
		{"a yes counts", func() { first = w.Tell("robot", yes); w.Tell("ada", yes) }, 2, 0, 0},
		{"of who turns out to be a test none does", func() { mark = w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "load"}}) }, 1, 0, 1},
		{"nor what comes after the mark", func() { w.Tell("robot", yes) }, 1, 0, 1},
		{"a second mark changes nothing", func() { again = w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "load"}}) }, 1, 0, 1},
		{"nor a void of the first", func() { void(mark) }, 1, 0, 1},
		{"nor one of a test's yes", func() { void(first) }, 1, 0, 1},
		{"with no mark left all counts again, and what was voided as voided", func() { void(again) }, 3, 1, 0},
		{"a void again counts once", func() { void(first) }, 3, 1, 0},
		{"a build's void counts the others, and not twice", func() {
			w.Tell("", domain.Say{Event: domain.BuildVoided{Build: "bad", From: projectiontest.Start, To: w.Time() + 60_000, Reason: "ticked", Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}}})
		}, 3, 3, 0},
		{"and what it still records in the span", func() { w.Tell("ada", yes) }, 4, 4, 0},
	} {
		tt.tell()
		for _, slice := range []int{1, 3, 1000} {
			events, voided, tests := sums(t, w.Entries(), slice)
			if events["consent.given"] != tt.given || voided["consent.given"] != tt.voided || tests != tt.tests {
				t.Errorf("%s (slices of %d): %d given, %d voided, %d tests; want %d, %d, %d", tt.name, slice, events["consent.given"], voided["consent.given"], tests, tt.given, tt.voided, tt.tests)
			}
		}
	}
}

func TestAYesCountsUnderEveryPurposeThatItNames(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	v, err := activity.Open(t.Context(), projectiontest.Place(t))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	var given int64
	days, _, err := v.Days(t.Context(), projectiontest.App, "0001-01-01", "9999-12-31")
	for _, d := range days {
		if d.Kind == "consent.given" && d.Purpose == "location" {
			given += d.Events
		}
	}
	if err != nil || given != 25 {
		t.Errorf("%d yeses to location, want 25: %v", given, err)
	}
}
