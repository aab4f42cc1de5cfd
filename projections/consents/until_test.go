package consents_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
	"consentledger/projections/projectiontest"
)

// A view that is behind asks the ledger, which knows more already, for what was
// known then: no more, and never less than what the view has read.
func TestWhoIsBehindIsToldWhatWasKnownThen(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	w.Tell("ada", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}})
	w.Tell("ada", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	var own []codec.Entry
	for _, e := range w.Entries() {
		if e.Stream.Noun == ident.SubjectNoun {
			own = append(own, e)
		}
	}
	stream := own[0].Stream
	for i, want := range []domain.Status{domain.Given, domain.Withdrawn} {
		s, err := w.SubjectUntil(t.Context(), stream, own[i].Revision, own[i].Position)
		if got := s.Standing("marketing", w.Time(), domain.Reference{}).Status; err != nil || got != want {
			t.Errorf("after %d records: %v, want %v, %v", i+1, got, want, err)
		}
	}
	if s, err := w.SubjectUntil(t.Context(), stream, 0, own[0].Position-1); err != nil || s.Since() != 0 {
		t.Errorf("before the first record something is known: %v, %v", s.Since(), err)
	}
	if _, err := w.SubjectUntil(t.Context(), stream, own[1].Revision, own[0].Position); err == nil {
		t.Error("less than what was read is taken for the whole")
	}
}
