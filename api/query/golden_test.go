package query

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

type states struct{ err error }

func (s states) State(context.Context, ident.AppName, ident.PersonKey, ledger.AsOf) (ledger.State, error) {
	return ledger.State{Position: 7}, s.err
}

func (s states) LogCheck(context.Context, ledger.Request, domain.CheckAnswered) error { return s.err }

func TestGolden(t *testing.T) {
	now, _ := deadline.ParseInstant("2026-03-02T09:30:00Z")
	answer, err := Check(t.Context(), states{}, "smartkey", wire.CheckRequest{Subject: "user-1", Purpose: "account"}, "test", now)
	if err != nil {
		t.Fatal(err)
	}
	broken, err := Check(t.Context(), states{errors.New("disk")}, "smartkey", wire.CheckRequest{Subject: "user-1", Purpose: "account", Action: "collect"}, "test", now)
	if err == nil || wire.IsRefusal(err) {
		t.Fatal(err)
	}
	entry, err := wire.EntryOf(codec.Entry{
		Envelope: codec.Envelope{ID: eventstore.EventID{1}, Stream: ident.SubjectStream("smartkey", "x"), At: now, Recorded: now, Actor: "person", RecordedBy: "unauthenticated"},
		Type:     "consent.given.v1", Parts: []codec.Part{{Role: "details"}}, Revision: 1, Position: 7,
		Event: domain.ConsentGiven{Policy: "privacy", Act: "agree", Kind: policy.ExplicitConsent, Until: now, Details: "SECRET"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		v    any
		want string
	}{
		{wire.ReceiptOf(ledger.Receipt{Event: eventstore.EventID{1}, Position: 7}), `{"event_id":"01000000-0000-0000-0000-000000000000","position":"7","outcome":"recorded"}`},
		{wire.RecordedOf(ledger.Receipt{Event: eventstore.EventID{1}, Position: 7, Unknown: "typo", NotUnderstood: "data.act,time", ID: "a b", Person: ident.PersonKey{Kind: "account", ID: "ada"}}),
			`{"event_id":"01000000-0000-0000-0000-000000000000","position":"7","unknown":"typo","not_understood":"data.act,time","id":"a b","subject":"account:ada","outcome":"recorded"}`},
		{answer, `{"allowed":false,"status":"never-asked","why":"no-policy-in-force","reason":"No policy of the app was in force then.","purpose":"account","action":"use","events":[],"position":"7","valid_at":"2026-03-02T09:30:00.000Z"}`},
		{broken, `{"allowed":false,"status":"unknown","why":"unknown","reason":"The ledger cannot say now; unknown is not allowed.","purpose":"account","action":"collect","events":[],"position":"0","valid_at":"2026-03-02T09:30:00.000Z"}`},
		{wire.ProblemOf(errors.New("disk SECRET")), `{"type":"urn:consentledger:problem:outcome-unknown","title":"Outcome unknown","status":503,"code":"outcome-unknown","detail":"outcome unknown, ask again: the same id is never recorded twice","outcome":"unknown"}`},
		{entry, `{"event_id":"01000000-0000-0000-0000-000000000000","type":"consent.given","position":"7","revision":1,"at":"2026-03-02T09:30:00.000Z","recorded":"2026-03-02T09:30:00.000Z","actor":"person","recorded_by":"unauthenticated","stream":"subject-smartkey-x","data":{"act":"agree","items":[],"kind":"explicit","policy":"privacy","until":"2026-03-02T09:30:00.000Z","version":"sha256:0000000000000000000000000000000000000000000000000000000000000000"},"parts":["details"]}`},
	} {
		got, err := json.Marshal(c.v)
		if err != nil || string(got) != c.want {
			t.Errorf("%v\n got %s\nwant %s", err, got, c.want)
		}
	}
}
