package consents_test

import (
	"fmt"
	"maps"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
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
			w.Tell("shown", yes)
			w.Tell("requested", yes)
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
		case 8:
			w.Tell("shown", domain.PresentNotice{Kind: "enhanced"})
			w.Tell("robot", domain.PresentNotice{Kind: "enhanced"})
			w.Tell("requested",
				domain.RequestConsent{Purposes: []policy.PurposeID{"marketing"}, Reason: "policy-changed"})
		case 9:
			w.Tell("requested", yes)
			w.Tell("silent", yes)
			shown := w.Tell("silent", domain.PresentNotice{Kind: "enhanced"})
			w.Publish(projectiontest.Document("three"), "marketing")
			w.Tell("silent", domain.VoidRecords{Records: []ident.EventID{ident.EventID(shown.Event)}, Reason: "mistake",
				Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}})
			w.Tell("shown", domain.PresentNotice{Kind: "enhanced"})
		case 40:
			w.Tell("late", yes)
		}
		w.Rest(deadline.Day)
	}

	all := w.Entries()
	versions := published(all)
	whole, single := open(t, w), open(t, w)
	if err := whole.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}

	asked := int64(0)
	at := 0
	for day := dayOf(all[0].Recorded); day <= dayOf(w.Time()); day = day.Add(deadline.Day) {
		end := day.Add(deadline.Day) - 1
		for ; at < len(all) && all[at].Recorded <= end; at++ {
			apply(t, single, all[at])
		}
		want := oneByOne(t, single, versions, end)
		for name, v := range map[string]*consents.View{"one batch": whole, "a batch for each": single} {
			same(t, fmt.Sprintf("%s, on %s", name, day), inGroups(t, v, versions, consents.EndOf(day)), want)
		}
		for _, progress := range want.progress {
			asked += progress["marketing"].Asked
		}
	}
	if asked == 0 {
		t.Error("nobody was asked again on any day")
	}

	want, _, err := whole.Hash(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := single.Hash(t.Context()); err != nil || !maps.Equal(got, want) {
		t.Errorf("a batch for each holds %v, one batch %v: %v", got, want, err)
	}
}

func dayOf(at deadline.Instant) deadline.Instant { return at - at%deadline.Instant(deadline.Day) }

func apply(t *testing.T, v *consents.View, e codec.Entry) {
	t.Helper()
	if err := v.Apply(t.Context(), []codec.Entry{e}); err != nil {
		t.Fatal(err)
	}
}
