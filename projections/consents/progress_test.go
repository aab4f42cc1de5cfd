package consents_test

import (
	"maps"
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
)

// After a change everybody is counted once, by what they said and when. A test is
// nobody. Who is silent was asked, or was not: a notice of before, one that was a mistake,
// and one of a version that is older ask nobody again.
func TestHowFarPeopleHaveComeWithAVersion(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	first := w.Publish(projectiontest.Document("one"))
	yes := domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}}
	no := domain.WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"marketing"}}}
	for _, who := range []string{"silent", "again", "leaves", "shown", "requested", "mistaken", "twice"} {
		w.Tell(who, yes)
	}
	w.Tell("silent", domain.PresentNotice{Kind: "general"})
	w.Tell("left", yes)
	w.Tell("left", no)
	w.Tell("robot", yes)
	w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}})
	ending := yes
	ending.Until = w.Time().Add(deadline.Hour)
	w.Tell("ends", ending)
	w.Publish(projectiontest.Document("two"), "marketing")

	var newest domain.PolicyPublished
	for _, e := range w.Entries() {
		if p, is := e.Event.(domain.PolicyPublished); is {
			newest = p
		}
	}
	notice := domain.PresentNotice{Kind: "enhanced"}
	for _, who := range []string{"again", "leaves", "left", "shown", "shown", "robot", "comes"} {
		w.Tell(who, notice)
	}
	w.Tell("requested",
		domain.RequestConsent{Purposes: []policy.PurposeID{"marketing"}, Reason: "policy-changed"})
	for _, who := range []string{"mistaken", "twice"} {
		shown := w.Tell(who, notice)
		if who == "twice" {
			w.Tell(who, notice)
		}
		w.Tell(who, domain.VoidRecords{Records: []ident.EventID{ident.EventID(shown.Event)}, Reason: "mistake",
			Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}})
	}
	w.Tell("silent", domain.PresentNotice{Version: first, Kind: "general"})
	w.Tell("again", yes)
	w.Tell("leaves", no)
	w.Tell("comes", yes)

	v := open(t, w)
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[deadline.Instant]consents.Progress{
		w.Time():     {Agreed: 2, Waiting: 6, Asked: 3, Refused: 1, RefusedBefore: 1},
		ending.Until: {Agreed: 2, Waiting: 5, Asked: 3, Refused: 1, RefusedBefore: 1, Other: 1},
	} {
		got, _, err := v.Progress(t.Context(), app, newest.Version, newest.Effective, consents.Now(at))
		if err != nil || got["marketing"] != want {
			t.Errorf("at %s %+v, want %+v, %v", at, got["marketing"], want, err)
		}
	}
}

// Whether somebody was asked is what going over all records says that asked them and were no mistake,
// whichever of several is voided, and however the log was cut into batches.
func TestWhoIsAskedIsWhatGoingOverTheRecordsSays(t *testing.T) {
	others := 0
	for seed := range uint64(4) {
		h := newRandomHistory(t, seed)
		for range 250 {
			h.ask()
		}
		all := h.w.Entries()
		whole, single := open(t, h.w), open(t, h.w)
		if err := whole.Apply(t.Context(), all); err != nil {
			t.Fatal(err)
		}

		type ask struct {
			by    eventstore.EventID
			since deadline.Instant
		}
		newest := func(list []ask) (first ask) {
			for _, a := range list {
				if a.since > first.since {
					first = a
				}
			}
			return first
		}
		asks := map[[2]string][]ask{}
		rows := map[[2]string]deadline.Instant{}
		for i := range all {
			e := &all[i]
			apply(t, single, *e)
			for id, since := range single.AskedAbout(e) {
				k := [2]string{e.Stream.ID, string(id)}
				if _, had := rows[k]; had {
					asks[k] = append(asks[k], ask{e.ID, since})
				}
			}
			if x, is := e.Event.(domain.RecordVoided); is {
				for k, list := range asks {
					was := newest(list)
					asks[k] = slices.DeleteFunc(list, func(a ask) bool { return slices.Contains(x.Records, ident.EventID(a.by)) })
					if now := newest(asks[k]); now != was && now.since != 0 {
						others++
					}
				}
			}

			var err error
			if rows, err = single.Asked(t.Context(), app); err != nil {
				t.Fatal(err)
			}
			want := map[[2]string]deadline.Instant{}
			for k := range rows {
				want[k] = newest(asks[k]).since // zero of who was not asked: they have a row, too
			}
			if !maps.Equal(rows, want) {
				t.Fatalf("seed %d, after %d records: asked %v, want %v", seed, i+1, rows, want)
			}
		}
		if got, err := whole.Asked(t.Context(), app); err != nil || !maps.Equal(got, rows) {
			t.Errorf("seed %d: in one batch %v, one by one %v, %v", seed, got, rows, err)
		}
	}
	if others < 3 {
		t.Errorf("%d times somebody was asked by others than the record that was voided, want some", others)
	}
}
