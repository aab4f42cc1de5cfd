package ledger_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/proposal"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
)

// readVoid reads a void as these tests keep it: the record, and under which id.
func readVoid(kept []byte, by [2]string) (ledger.Request, error) {
	var record ident.EventID
	if err := json.Unmarshal(kept, &record); err != nil {
		return ledger.Request{}, err
	}
	r := requestOf("void", domain.VoidRecords{Records: []ident.EventID{record}, Reason: "mistake", Evidence: content.Hash{1}, By: by})
	r.Body, r.Actor, r.RecordedBy = append(kept, by[1]...), "operator", by[0]
	return r, nil
}

// proposes begins a history of ada with a grant, and proposes to void it.
func proposes(t *testing.T, l *ledger.Ledger) proposal.Proposal {
	t.Helper()
	l.AskTwo(func(_ ident.AppName, kind string) bool { return kind == "record.voided" }, nil)
	begin(t, l)
	given := must(t, l, requestOf("yes", domain.GiveConsent{Act: "agree"}))
	kept, err := json.Marshal(ident.EventID(given.Event))
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Propose(t.Context(), ledger.Proposing{App: "demo", Source: "test", ID: "void", Kind: "record.voided", Kept: kept, By: "p-first", Reason: "mistake"}, readVoid)
	if err != nil || p.State(l.Now()) != proposal.Proposed || p.By != "p-first" {
		t.Fatalf("%+v %v", p, err)
	}
	return p
}

func decided(id, by string) ledger.Decision { return ledger.Decision{App: "demo", ID: id, By: by} }

// types returns how many records of each kind there are.
func (w *world) types(t *testing.T) map[string]int {
	t.Helper()
	all := map[string]int{}
	for e, err := range w.open(t).Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all[e.Kind()]++
	}
	return all
}

func TestWhatTakesTwoIsRefusedFromOne(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	p := proposes(t, l)
	void, err := readVoid([]byte(`[1]`), [2]string{"p-first", "p-second"})
	if err == nil {
		_, err = l.Execute(t.Context(), void)
	}
	if code(err) != refusal.ApprovalNeeded {
		t.Errorf("at once: %v", err)
	}
	if _, err := l.Approve(t.Context(), decided(p.ID, "p-first"), readVoid); code(err) != refusal.SamePrincipal {
		t.Errorf("by who proposed it: %v", err)
	}
	if n := w.types(t); n["record.voided"] != 0 || n["proposal.lapsed"] != 0 || n["proposal.made"] != 1 {
		t.Errorf("%v", n)
	}
}

// Two processes that share a store: each has a fold of its own.
func TestOfTwoProcessesThatApproveAtOnceOneDoes(t *testing.T) {
	w := newWorld()
	p := proposes(t, w.open(t))
	var failed [4]error
	var all sync.WaitGroup
	for i, by := range []string{"p-a", "p-b", "p-c", "p-d"} {
		l := w.open(t)
		all.Go(func() { _, failed[i] = l.Approve(t.Context(), decided(p.ID, by), readVoid) })
	}
	all.Wait()
	good := 0
	for _, err := range failed {
		switch {
		case err == nil:
			good++
		case code(err) != refusal.AlreadyDecided:
			t.Errorf("%v", err)
		}
	}
	if n := w.types(t); good != 1 || n["record.voided"] != 1 || n["proposal.approved"] != 1 || n["proposal.done"] != 1 {
		t.Errorf("%d approve: %v", good, n)
	}
}

// TestWhoApprovesBehindAnotherLapsesNothing: what the one has approved and carried out stands in
// the way of the other, who had looked before.
func TestWhoApprovesBehindAnotherLapsesNothing(t *testing.T) {
	w := newWorld()
	first, second := w.open(t), w.open(t)
	p := proposes(t, first)
	behind := func(kept []byte, by [2]string) (ledger.Request, error) {
		if err := first.ApproveAndDie(t.Context(), decided(p.ID, "p-a"), readVoid); err != nil {
			t.Error(err)
		}
		return readVoid(kept, by)
	}
	if _, err := second.Approve(t.Context(), decided(p.ID, "p-b"), behind); code(err) != refusal.AlreadyDecided {
		t.Error(err)
	}
	if _, err := first.FinishProposal(t.Context(), "demo", p.ID, readVoid); err != nil {
		t.Error(err)
	}
	if n := w.types(t); n["proposal.lapsed"] != 0 || n["proposal.done"] != 1 || n["record.voided"] != 1 {
		t.Errorf("%v", n)
	}
}

func TestAProposalExpires(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	p := proposes(t, l)
	w.now = p.Until
	if _, err := l.Approve(t.Context(), decided(p.ID, "p-second"), readVoid); code(err) != refusal.ProposalExpired {
		t.Errorf("%v", err)
	}
	if n := w.types(t); n["record.voided"] != 0 || n["proposal.approved"] != 0 {
		t.Errorf("%v", n)
	}
}

// What changes in another process between a proposal and its approval counts.
func TestAProposalHoldsForTheStateThatItWasMadeFor(t *testing.T) {
	w := newWorld()
	here, there := w.open(t), w.open(t)
	p := proposes(t, here)
	must(t, there, requestOf("no", domain.WithdrawConsent{Scope: policy.Scope{All: true}}))
	if _, err := here.Approve(t.Context(), decided(p.ID, "p-second"), readVoid); code(err) != refusal.ProposalOutdated {
		t.Errorf("%v", err)
	}
	if p, err := there.Proposed(t.Context(), "demo", p.ID); err != nil || p.State(w.now) != proposal.Lapsed {
		t.Errorf("%+v %v", p, err)
	}
	if n := w.types(t); n["record.voided"] != 0 || n["proposal.approved"] != 0 || n["proposal.lapsed"] != 1 {
		t.Errorf("%v", n)
	}
}

// A process dies at any append of an approval, before it is written or behind it: who
// comes later finishes it, and nothing is recorded twice.
func TestAnApprovalThatWasInterruptedIsFinished(t *testing.T) {
	for _, persist := range []bool{false, true} {
		for dies := range 3 {
			w := newWorld()
			p := proposes(t, w.open(t))
			whole := w.store
			w.store = &dying{Store: whole, left: dies, persist: persist}
			if _, err := w.open(t).Approve(t.Context(), decided(p.ID, "p-second"), readVoid); !errors.Is(err, errLost) {
				t.Fatalf("%d: %v", dies, err)
			}
			w.store = whole
			l := w.open(t)
			if _, err := l.FinishProposal(t.Context(), "demo", p.ID, readVoid); err != nil {
				t.Errorf("%d: %v", dies, err)
			}
			after, err := l.Approve(t.Context(), decided(p.ID, "p-second"), readVoid)
			if err != nil || after.State(w.now) != proposal.CarriedOut || after.Record == "" {
				t.Errorf("%d: %+v %v", dies, after, err)
			}
			if n := w.types(t); n["record.voided"] != 1 || n["proposal.approved"] != 1 || n["proposal.done"] != 1 || n["proposal.lapsed"] != 0 {
				t.Errorf("%d, %t: %v", dies, persist, n)
			}
		}
	}
}

// What was proposed about somebody goes with them.
func TestWhatWasProposedGoesWithThePerson(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	p := proposes(t, l)
	look := func() (string, bool) {
		t.Helper()
		kept, there, err := l.Command(t.Context(), "demo", p, ledger.Access{
			ID: rand.Text(), Actor: "operator", RecordedBy: "p-second",
			DataAccessed: domain.DataAccessed{Reason: "proposal", Name: "p-second", Words: "to decide"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(kept), there
	}
	if kept, there := look(); !there || len(kept) < 10 {
		t.Errorf("%q %t", kept, there)
	}
	if n := w.types(t); n["data.accessed"] != 1 {
		t.Errorf("looking is not recorded: %v", n)
	}
	if _, err := l.Erase(t.Context(), order("erase")); err != nil {
		t.Fatal(err)
	}
	if kept, there := look(); there {
		t.Errorf("after the erasure: %q", kept)
	}
	if _, err := l.Approve(t.Context(), decided(p.ID, "p-second"), readVoid); code(err) != refusal.ProposalOutdated {
		t.Errorf("%v", err)
	}
	if n := w.types(t); n["record.voided"] != 0 || n["proposal.lapsed"] != 1 {
		t.Errorf("%v", n)
	}
}

// TestWhoHasLostTheirRoleIsNoneOfTheTwoAnyMore: what was proposed, or approved, is executed
// only if both may still do so then. What was executed before stays done.
func TestWhoHasLostTheirRoleIsNoneOfTheTwoAnyMore(t *testing.T) {
	lost := func(l *ledger.Ledger, whose ...string) {
		l.AskTwo(func(_ ident.AppName, kind string) bool { return kind == "record.voided" },
			func(_ context.Context, _ ident.AppName, by [2]string) error {
				if slices.Contains(whose, by[0]) || slices.Contains(whose, by[1]) {
					return refusal.Refusal{Code: refusal.RoleLost, Text: "no role any more"}
				}
				return nil
			})
	}

	// Before anybody approves: it lapses, and whoever approves is told why.
	w := newWorld()
	l := w.open(t)
	p := proposes(t, l)
	lost(l, "p-first")
	_, err := l.Approve(t.Context(), decided(p.ID, "p-second"), readVoid)
	if code(err) != refusal.ProposalOutdated || !strings.Contains(err.Error(), string(refusal.RoleLost)) {
		t.Errorf("%v", err)
	}
	if n := w.types(t); n["record.voided"] != 0 || n["proposal.approved"] != 0 || n["proposal.lapsed"] != 1 {
		t.Errorf("%v", n)
	}

	// Between the approval and what was approved, or behind both.
	for _, who := range []string{"p-first", "p-second"} {
		for _, persist := range []bool{false, true} {
			for dies := 1; dies < 3; dies++ {
				w := newWorld()
				p := proposes(t, w.open(t))
				whole := w.store
				w.store = &dying{Store: whole, left: dies, persist: persist}
				if _, err := w.open(t).Approve(t.Context(), decided(p.ID, "p-second"), readVoid); !errors.Is(err, errLost) {
					t.Fatalf("%d: %v", dies, err)
				}
				w.store = whole
				l := w.open(t)
				lost(l, who)
				_, err := l.FinishProposal(t.Context(), "demo", p.ID, readVoid)
				n := w.types(t)
				switch executed := dies == 2 || persist; {
				case executed && (err != nil || n["record.voided"] != 1 || n["proposal.done"] != 1 || n["proposal.lapsed"] != 0):
					t.Errorf("executed before %s lost it: %v, %v", who, n, err)
				case !executed && (code(err) != refusal.ProposalOutdated || n["record.voided"] != 0 || n["proposal.lapsed"] != 1):
					t.Errorf("%s lost it before: %v, %v", who, n, err)
				}
			}
		}
	}
}

// A counting store counts the records that are read of streams.
type counting struct {
	eventstore.Store
	read int
}

func (c *counting) ReadStream(
	ctx context.Context, s eventstore.Stream, after eventstore.Revision,
) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range c.Store.ReadStream(ctx, s, after) {
			if c.read++; !yield(r, err) {
				return
			}
		}
	}
}

// TestWhatWasProposedIsReadWhereItIs, however much the app's history holds before it.
func TestWhatWasProposedIsReadWhereItIs(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	for i := range 50 {
		say := requestOf("note"+strconv.Itoa(i), domain.Say{Event: domain.Noted{Kind: "system.removed",
			Fields: policy.Fields(map[string]string{"system": "crm", "reason": "gone"})}})
		say.Person = ident.PersonKey{}
		must(t, l, say)
	}
	store := &counting{Store: w.store}
	w.store = store
	l = w.open(t)
	p := proposes(t, l)
	store.read = 0
	kept, there, err := l.Command(t.Context(), "demo", p, ledger.Access{
		ID: rand.Text(), Actor: "operator", RecordedBy: "p-second",
		DataAccessed: domain.DataAccessed{Reason: "proposal", Name: "p-second", Words: "to decide"},
	})
	if err != nil || !there || len(kept) < 10 || store.read > 10 {
		t.Errorf("%d records are read: %q %t %v", store.read, kept, there, err)
	}
}

// What waited at a moment is told as it stood then, to the millisecond: by every process, whatever was
// decided since, and also when the person whom it is about is erased.
func TestProposalsAreToldAsTheyWereKnown(t *testing.T) {
	w := newWorld()
	first, second := w.open(t), w.open(t)
	p := proposes(t, first)
	until := p.At
	was, err := second.Proposals(t.Context(), "demo")
	if err != nil || len(was) != 1 || was[0] != p {
		t.Fatalf("%+v %v", was, err)
	}

	w.now++
	if _, err := first.Decline(t.Context(), ledger.Decision{App: "demo", ID: p.ID, By: "p-second", Reason: "no proof"}); err != nil {
		t.Fatal(err)
	}
	order := requestOf("erase", domain.OrderErasure{Reason: "asked", By: [2]string{"p-first", "p-second"}})
	if _, err := first.Erase(t.Context(), order); err != nil {
		t.Fatal(err)
	}

	for _, l := range []*ledger.Ledger{first, second, w.open(t)} {
		then := func(at deadline.Instant) []proposal.Proposal {
			t.Helper()
			position, err := l.KnownAt(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			list, err := l.ProposalsAt(t.Context(), "demo", position)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		if got := then(until); !slices.Equal(got, was) {
			t.Errorf("%+v, want what was told then: %+v", got, was)
		}
		if got := then(until - 1); len(got) != 0 {
			t.Errorf("before it was proposed: %+v", got)
		}
		if got := then(until + 1); len(got) != 1 || got[0].Decided != proposal.Declined {
			t.Errorf("a millisecond later: %+v", got)
		}
	}
	if _, err := first.ProposalsAt(t.Context(), "nosuch", 1); code(err) != refusal.UnknownApp {
		t.Errorf("of an app that is not registered: %v", err)
	}
}
