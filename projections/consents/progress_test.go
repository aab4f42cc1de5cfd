package consents_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
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
	for _, who := range []string{"silent", "again", "leaves", "shown", "requested", "mistaken"} {
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
	shown := w.Tell("mistaken", notice)
	w.Tell("mistaken", domain.VoidRecords{Records: []ident.EventID{ident.EventID(shown.Event)}, Reason: "mistake",
		Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}})
	w.Tell("silent", domain.PresentNotice{Version: first, Kind: "general"})
	w.Tell("again", yes)
	w.Tell("leaves", no)
	w.Tell("comes", yes)

	v := open(t, w)
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[deadline.Instant]consents.Progress{
		w.Time():     {Agreed: 2, Waiting: 5, Asked: 2, Refused: 1, RefusedBefore: 1},
		ending.Until: {Agreed: 2, Waiting: 4, Asked: 2, Refused: 1, RefusedBefore: 1, Other: 1},
	} {
		got, _, err := v.Progress(t.Context(), app, newest.Version, newest.Effective, consents.Now(at))
		if err != nil || got["marketing"] != want {
			t.Errorf("at %s %+v, want %+v, %v", at, got["marketing"], want, err)
		}
	}
}
