package consents

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"
)

func TestAPersonIsReadAsTheyWereWritten(t *testing.T) {
	v, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	ada := domain.StreamID{Noun: domain.SubjectNoun, App: "smartkey", ID: "ada"}
	no := domain.ConsentWithdrawn{Scope: domain.Scope{Purposes: []domain.PurposeID{"ads"}}, Build: "1"}
	entries := []codec.Entry{
		{Envelope: codec.Envelope{ID: [16]byte{1}, Stream: ada, At: 5, Recorded: 7, Claimed: 9, Request: codec.Request{Source: [8]byte{3, 255}, Sequence: 1<<53 - 1}}, Event: no, Position: 1, Revision: 1},
		{Envelope: codec.Envelope{ID: [16]byte{2}, Stream: ada, At: 8, Recorded: 8}, Event: no, Position: 2, Revision: 2},
	}
	if err := v.Apply(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	k := key{"smartkey", "ada"}
	want, ok := v.people.get(k)
	if !ok || want.facts != 2 {
		t.Fatalf("remembered: %v, %v", want, ok)
	}
	read := newPerson(k)
	err = v.db.Apply(t.Context(), []codec.Entry{{Position: 3}}, func(tx *readmodel.Tx) error { return read.load(tx, nil) })
	if err != nil || !reflect.DeepEqual(read.subject, want.subject) || read.number != want.number || read.last != 2 || read.moment != want.moment {
		t.Errorf("%v: read %+v, wrote %+v", err, read, want)
	}
}

// TestStandingsAreText: of newcomers and of who was written before.
func TestStandingsAreText(t *testing.T) {
	v, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for n := range 3 {
		no := codec.Entry{Event: domain.ConsentWithdrawn{Scope: domain.Scope{Purposes: []domain.PurposeID{"ads"}}}, Position: eventstore.Position(n + 1), Revision: eventstore.Revision(n + 1)}
		no.ID, no.Stream, no.Recorded = [16]byte{byte(n)}, domain.StreamID{Noun: domain.SubjectNoun, App: "smartkey", ID: "ada"}, domain.Instant(n)
		if err := v.Apply(t.Context(), []codec.Entry{no}); err != nil {
			t.Fatal(err)
		}
		err := v.db.View(t.Context(), func(tx *readmodel.Tx, _ eventstore.Position) error {
			var is, text string
			err := tx.Row("SELECT typeof(standings), standings FROM people", nil, &is, &text)
			rows, err2 := readStandings(text)
			if is != "text" || len(rows) != 1 || rows[0].position != no.Position {
				t.Errorf("after %d: %s %s is read as %v", n+1, is, text, rows)
			}
			return errors.Join(err, err2)
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestSayingsAreSharedAndBounded(t *testing.T) {
	s := sayings{}
	text := func(until int) []byte { return fmt.Appendf(nil, `{"k":"g","u":%d,"o":["ads"]}`, until) }
	first, err := s.saying(text(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.saying(text(1), nil)
	if err != nil || &first.event.(domain.ConsentGiven).Items[0] != &again.event.(domain.ConsentGiven).Items[0] {
		t.Errorf("%v: the same was read twice", err)
	}
	for i := range 10_000 {
		got, err := s.saying(text(i), nil)
		if err != nil || got.event.(domain.ConsentGiven).Until != domain.Instant(i) || got.text != string(text(i)) {
			t.Fatalf("%d: %v, %v", i, got, err)
		}
	}
	if len(s) > 4096 {
		t.Errorf("%d are remembered", len(s))
	}
	if _, err := s.saying([]byte(`{"k":"g","unknown":1}`), nil); err == nil {
		t.Error("a member that nobody knows was read")
	}
}
