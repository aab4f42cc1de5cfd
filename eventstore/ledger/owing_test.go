package ledger_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
)

// promising publishes a policy by which more is owed since a withdrawal, a refusal of
// what was agreed to, and an erasure.
func promising(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	begin(t, l)
	d := document
	d.DeadlineRules = []deadline.Rule{
		{ID: "d15", Source: "1", Unit: deadline.UnitCalendarDay, Length: 15, TimeZone: "Asia/Shanghai", ClockStart: "Withdrawn"},
		{ID: "d30", Source: "1", Unit: deadline.UnitCalendarDay, Length: 30, TimeZone: "Asia/Shanghai", ClockStart: "Withdrawn"},
	}
	d.Recipients = []policy.Recipient{{ID: "adhouse", Title: "Ad house", Section: "I", Purposes: []policy.PurposeID{"ads"}}}
	duty := func(id string, kind policy.DutyKind, rule deadline.RuleID, each policy.DutyEach, on ...string) policy.DutyRule {
		return policy.DutyRule{ID: id, Section: "I", On: on, Kind: kind, Rules: []deadline.RuleID{rule}, Each: each, MetBy: []string{"data.deleted"}}
	}
	d.Duties = []policy.DutyRule{
		duty("reply", policy.DutyReply, "d15", policy.DutyOnce, "consent.withdrawn"),
		duty("delete", policy.DutyDelete, "d30", policy.DutyEachSystem, "consent.withdrawn", "consent.refused", "erasure.ordered"),
	}
	version, err := policydoc.Hash(d)
	if err != nil {
		t.Fatal(err)
	}
	must(t, l, requestOf("promises", domain.PublishPolicy{Version: version, Document: d, Material: []string{"MAT-3", "MAT-4"}}))
}

// owed writes what the records of persons say is owed: "3 reply.d15".
func owed(t *testing.T, l *ledger.Ledger) string {
	t.Helper()
	var all []string
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Stream.Noun == ident.ObligationNoun {
			t.Errorf("a record of its own: %s %s", e.Stream, e.Kind())
		}
		for _, o := range e.Owed() {
			if x, opened := o.Event.(domain.ObligationOpened); opened {
				all = append(all, fmt.Sprint(e.Revision, " ", x.Obligation.ID))
			}
		}
	}
	return strings.Join(all, ", ")
}

func history(t *testing.T, l *ledger.Ledger) ident.StreamID {
	t.Helper()
	name, known, err := l.Pseudonym(t.Context(), "demo", ada)
	if err != nil || !known {
		t.Fatal(known, err)
	}
	return ident.SubjectStream("demo", name)
}

func TestAFactSaysWhatIsOwedSince(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	promising(t, l)
	must(t, l, requestOf("early no", domain.RefuseConsent{Scope: policy.Scope{All: true}})) // takes no grant away
	w.now += 1000
	must(t, l, requestOf("yes", yes))
	must(t, l, requestOf("no", domain.RefuseConsent{Scope: policy.Scope{All: true}}))
	withdrawn := requestOf("gone", no)
	first := must(t, l, withdrawn)
	if again := must(t, l, withdrawn); !reflect.DeepEqual(again, first) {
		t.Errorf("asked again: %+v, want %+v", again, first)
	}
	if got, want := owed(t, l), "3 delete.adhouse.d30, 4 reply.d15, 4 delete.adhouse.d30"; got != want {
		t.Errorf("owed %s, want %s", got, want)
	}
	if got := selected(t, l, ledger.Selection{App: "demo", Types: []string{"obligation.opened"}}); len(got) != 2 {
		t.Errorf("%d records open obligations, want 2", len(got))
	}
}

// What becomes of it is recorded in a stream that goes on from the fact's record, in
// whichever process.
func TestWhatBecomesOfWhatAFactSaysIsOwed(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	promising(t, l)
	must(t, l, requestOf("yes", yes))
	stream := ident.OwedStream(history(t, l), 2)
	on := func(l *ledger.Ledger, id string, cmd domain.Command) error {
		_, err := l.ExecuteOn(t.Context(), stream, ledger.Request{Source: "test", ID: id, Body: []byte(id), Actor: "operator", RecordedBy: "test", Command: cmd})
		return err
	}
	if err := on(l, "too soon", domain.MeetObligation{ID: "reply.d15"}); code(err) != refusal.UnknownRequest {
		t.Errorf("before anything is owed: %v", err)
	}
	must(t, l, requestOf("no", no))
	w.now += 5000
	if err := on(l, "met", domain.MeetObligation{ID: "reply.d15"}); err != nil {
		t.Fatal(err)
	}
	if err := on(w.open(t), "met again", domain.MeetObligation{ID: "reply.d15"}); code(err) != refusal.IllegalMove {
		t.Errorf("met twice: %v", err)
	}
	if err := on(w.open(t), "nothing", domain.MeetObligation{ID: "stop.d15"}); code(err) != refusal.UnknownObligation {
		t.Errorf("what is not owed: %v", err)
	}

	erase := requestOf("erase", domain.OrderErasure{Reason: "asked", By: [2]string{"eve", "bob"}})
	if _, err := l.Erase(t.Context(), erase); err != nil {
		t.Fatal(err)
	}
	if err := on(w.open(t), "deleted", domain.VoidObligation{ID: "delete.adhouse.d30", Reason: "erased"}); err != nil {
		t.Errorf("of somebody who was erased: %v", err)
	}
	for name, l := range map[string]*ledger.Ledger{"this process": l, "another": w.open(t)} {
		if _, err := l.App(t.Context(), "demo"); err != nil { // behind a barrier
			t.Fatal(err)
		}
		duties, err := l.Duties(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range duties.All() {
			got = append(got, d.ID+" "+d.State.String())
		}
		if want := []string{"reply.d15 met", "delete.adhouse.d30 void"}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	var all []codec.Entry
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	order := slices.IndexFunc(all, func(e codec.Entry) bool { _, ok := e.Event.(domain.ErasureOrdered); return ok })
	if order < 0 || len(all[order].Owed()) != 1 {
		t.Errorf("the order to erase says %d duties, want 1", len(all[max(order, 0)].Owed()))
	}
}
