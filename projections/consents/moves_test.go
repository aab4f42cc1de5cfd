package consents_test

import (
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
)

// At the end of each day of a history the counts of that day are what a view counts that has read no
// further, and stay it, however the log was cut into batches; so is the progress with each version.
func TestADayThatIsPastIsAsItWasThen(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	yes := domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}}
	no := domain.WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"marketing"}}}
	ending, ended := yes, yes
	ending.Until = w.Time().Add(4 * deadline.Day)
	ended.Until = w.Time().Add(2*deadline.Day + deadline.Hour)
	for day := range 45 { // past the end of a month
		switch day {
		case 0:
			w.Tell("silent", yes)
			w.Tell("leaves", yes)
			w.Tell("robot", yes)
			w.Tell("ends", ending)
			w.Tell("renews", ended)
			w.Tell("early", ending)
		case 1:
			w.Tell("left", yes)
			w.Tell("left", no)
			w.Tell("early", no) // before it ends
		case 5:
			w.Tell("renews", yes) // after it ended
		case 6:
			w.Publish(projectiontest.Document("two"), "marketing")
			w.Tell("leaves", no)
		case 7:
			w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}})
			w.Tell("silent", yes)
			w.Tell("silent", no)
		case 40:
			w.Tell("late", yes)
		}
		w.Rest(deadline.Day)
	}

	all := w.Entries()
	var versions []domain.PolicyPublished
	for _, e := range all {
		if p, is := e.Event.(domain.PolicyPublished); is {
			versions = append(versions, p)
		}
	}
	whole, single := open(t, w), open(t, w)
	if err := whole.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}

	at := 0
	for day := dayOf(all[0].Recorded); day <= dayOf(w.Time()); day = day.Add(deadline.Day) {
		end := day.Add(deadline.Day) - 1
		for ; at < len(all) && all[at].Recorded <= end; at++ {
			apply(t, single, all[at])
		}
		now, _, err := single.Counts(t.Context(), app, end)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]*consents.View{"one batch": whole, "a batch for each": single} {
			then, _, err := v.CountsOn(t.Context(), app, day)
			if err != nil || !slices.Equal(then, now) {
				t.Errorf("%s: on %s %+v, want %+v: %v", name, day, then, now, err)
			}
			for _, p := range versions {
				sameProgress(t, v, single, p.Version, p.Effective, day)
			}
		}
	}
}

func dayOf(at deadline.Instant) deadline.Instant { return at - at%deadline.Instant(deadline.Day) }

func apply(t *testing.T, v *consents.View, e codec.Entry) {
	t.Helper()
	if err := v.Apply(t.Context(), []codec.Entry{e}); err != nil {
		t.Fatal(err)
	}
}

// sameProgress compares the progress of a day with that of a view that has read no further.
func sameProgress(t *testing.T, v, then *consents.View, version content.Hash, since, day deadline.Instant) {
	t.Helper()
	want, _, err := then.Progress(t.Context(), app, version, since, day.Add(deadline.Day)-1)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := v.ProgressOn(t.Context(), app, version, since, day)
	if err != nil || len(got) != len(want) || got["marketing"] != want["marketing"] {
		t.Errorf("on %s %+v, want %+v: %v", day, got, want, err)
	}
}
