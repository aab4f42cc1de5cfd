package consents_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
)

// After a change everybody is counted once, by what they said and when. A test is
// nobody.
func TestHowFarPeopleHaveComeWithAVersion(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	yes := domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}}
	no := domain.WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"marketing"}}}
	for _, who := range []string{"silent", "again", "leaves"} {
		w.Tell(who, yes)
	}
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
	w.Tell("again", yes)
	w.Tell("leaves", no)
	w.Tell("comes", yes)

	v := open(t, w)
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[deadline.Instant]consents.Progress{
		w.Time():     {Agreed: 2, Waiting: 2, Refused: 1, RefusedBefore: 1},
		ending.Until: {Agreed: 2, Waiting: 1, Refused: 1, RefusedBefore: 1, Other: 1},
	} {
		got, _, err := v.Progress(t.Context(), app, newest.Version, newest.Effective, at)
		if err != nil || got["marketing"] != want {
			t.Errorf("at %s %+v, want %+v, %v", at, got["marketing"], want, err)
		}
	}
}
