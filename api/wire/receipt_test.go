package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
)

func TestAReceiptIsAppendedAsPackageJSONWritesIt(t *testing.T) {
	ids := []eventstore.EventID{{}, {1}}
	for range 1000 {
		var id eventstore.EventID
		for i := range id {
			id[i] = byte(rand.N(256))
		}
		ids = append(ids, id)
	}
	for i, id := range ids {
		for _, r := range []ledger.Receipt{
			{Event: id}, {Event: id, Position: math.MaxUint64}, {Event: id, Position: eventstore.Position(rand.Uint64() >> (i % 64))},
			{Event: id, Position: 7, Stream: ident.RequestStream("smartkey", "0123")},
			{Event: id, Position: 7, Stream: ident.IncidentStream("smartkey", "0123")},
			{Event: id, Position: 7, Stream: ident.ObligationStream("smartkey", "0123")},
			{Event: id, Position: 7, ID: "w-1", Person: ident.PersonKey{Kind: "account", ID: "ada.~_-9Z"}}, {Event: id, ID: "urn:a/b"},
			{Event: id, Position: 7, ID: "a \"b\"<\u2028"}, {Event: id, Position: 7, ID: "é"}, {Event: id, Position: 7, NotUnderstood: "data.(a name),time"},
			{Event: id, Position: 7, Unknown: "a<b>,\u2028\xff\"c\""},
			{Event: id, Position: 7, Counts: ledger.CountsForAll}, {Event: id, Position: 7, Counts: ledger.CountsNot},
			{Event: id, Position: 7, Counts: ledger.CountsPartly, Short: "face=separate-consent-missing,ads=opt-out-stands"},
			{Event: id, Position: 7, Rests: "tax=legal-duty,shop=contract"}, {Event: id, Position: 7, Repeats: true},
		} {
			want, err := json.Marshal(RecordedOf(r))
			if err != nil {
				t.Fatal(err)
			}
			if got := AppendReceipt([]byte("before"), r); string(got) != "before"+string(want) {
				t.Fatalf("%+v\n is %s\nwant %s", r, got, want)
			}
		}
	}
}

func BenchmarkReceipt(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = AppendReceipt(make([]byte, 0, 192), ledger.Receipt{Event: eventstore.EventID{1, 2, 3}, Position: 123456, ID: "w-1", Person: ident.PersonKey{Kind: "account", ID: "ada"}})
	}
}

// Every problem says what became of the request, in a text.
func TestEveryProblemHasAnOutcome(t *testing.T) {
	for _, err := range []error{
		errors.New("the disk is on fire"), fmt.Errorf("embedded: %w", eventstore.ErrFull),
		refusal.Refusal{Code: refusal.IDReused, Text: "taken"}, refusal.Refusal{Code: refusal.Malformed, Text: "odd"},
	} {
		want := Unknown // ask again, with the same id
		if IsRefusal(err) {
			want = Refused
		}
		for _, p := range []Problem{ProblemOf(err), ReadProblemOf(err)} {
			if p.Outcome != want || p.Status < 400 || p.Code == "" {
				t.Errorf("%v: %+v, want %s", err, p, want)
			}
		}
	}
}
