package activity_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/activity"
	"consentledger/projections/projectiontest"
)

// builds returns how many answers each build has, in a view that applied entries so many at a time, and
// its content.
func builds(t *testing.T, entries []codec.Entry, slice int) (answers map[string]int64, sums any) {
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

	var shown []activity.Shown
	answers = map[string]int64{}
	if _, err := v.Answers(t.Context(), projectiontest.App, activity.Count{
		Stretches: []activity.Stretch{{Span: activity.Days, First: "0001-01-01", Last: "9999-12-31"}},
		Place: func(s activity.Shown) (int, bool) {
			shown = append(shown, s)
			return len(shown) - 1, true
		},
		Add: func(_ string, at int, n int64) { answers[shown[at].Build] += n },
	}); err != nil {
		t.Fatal(err)
	}
	sums, _, err = v.Hash(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return answers, sums
}

// TestBuildsWithoutEndAreNotKeptByTheirNames names another build with each answer. Those beyond the
// bound are counted together, and a build that is a mistake is taken out wherever it was counted.
func TestBuildsWithoutEndAreNotKeptByTheirNames(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	agree := func(build string) {
		w.Tell("ada", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"location"}, Build: build})
	}
	const more = 25
	for n := range activity.MostBuilds + more {
		agree(fmt.Sprint("1.", n))
	}
	last := fmt.Sprint("1.", activity.MostBuilds+more-1)
	agree(last)
	check := func(when string, others, ofLast, ofFirst int64) {
		t.Helper()
		answers, sums := builds(t, w.Entries(), 1000)
		if answers[activity.OtherBuilds] != others || answers[last] != ofLast || answers["1.0"] != ofFirst || len(answers) > activity.MostBuilds+2 {
			t.Errorf("%s: %d of others, %d of %s, %d of 1.0, %d builds in all", when, answers[activity.OtherBuilds], answers[last], last, answers["1.0"], len(answers))
		}
		if _, again := builds(t, w.Entries(), 7); !reflect.DeepEqual(sums, again) {
			t.Errorf("%s: other batches leave other tables", when)
		}
	}
	check("on one day", more+1, 0, 1)

	void := func(build string) {
		w.Tell("", domain.Say{Event: domain.BuildVoided{Build: build, From: projectiontest.Start, To: w.Time().Add(deadline.Day), Reason: "ticked", Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}}})
	}
	void(last)
	check("voided", more-1, 0, 1)
	agree(last)
	check("and answering on", more-1, 0, 1)
	void("1.0")
	check("one that has a name is voided", more-1, 0, 0)
}

// TestTooManyBuildsHideNoOtherCount has a client name more builds than one question reads, or answer with them
// on more days: what does not need them is answered still.
func TestTooManyBuildsHideNoOtherCount(t *testing.T) {
	t.Run("builds", func(t *testing.T) { tooManyBuilds(t, 50, 1000) })
	t.Run("counts", func(t *testing.T) { tooManyBuilds(t, 1000, 110) })
}

func tooManyBuilds(t *testing.T, mostSorts, mostRows int) {
	t.Cleanup(activity.SetMost(mostSorts, mostRows))
	v, err := activity.Open(t.Context(), projectiontest.Place(t))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	const days, builds = 2, 60
	var entries []codec.Entry
	for n := range days * builds {
		e := recorded(n - n%5)
		e.Position, e.ID = eventstore.Position(n+1), spread(n)
		e.Recorded = projectiontest.Start.Add(deadline.Span(n/builds) * deadline.Day)
		e.Event = domain.ConsentGiven{Items: []domain.Item{{Purpose: "location"}}, Build: fmt.Sprint(n % builds)}
		entries = append(entries, e)
	}
	if err := v.Apply(t.Context(), entries); err != nil {
		t.Fatal(err)
	}

	var answers int64
	all := []activity.Stretch{{Span: activity.Days, First: "0001-01-01", Last: "9999-12-31"}}
	place := func(activity.Shown) (int, bool) { return 0, true }
	purposes := activity.Count{Part: activity.ByPurpose, Stretches: all, Place: place,
		Add: func(_ string, _ int, n int64) { answers += n }}
	screens := activity.Count{Part: activity.ByScreen, Stretches: all, Place: place, Add: func(string, int, int64) {}}
	if _, err := v.Answers(t.Context(), projectiontest.App, screens, purposes); !errors.Is(err, activity.ErrTooMany) {
		t.Fatalf("%d builds on each of %d days: %v", builds, days, err)
	}

	tooMany := 0
	screens.TooMany = func() { tooMany++ }
	if _, err := v.Answers(t.Context(), projectiontest.App, screens, purposes); err != nil || tooMany != 1 || answers != int64(len(entries)) {
		t.Errorf("%d answers, want %d; too many builds %d times: %v", answers, len(entries), tooMany, err)
	}
}
