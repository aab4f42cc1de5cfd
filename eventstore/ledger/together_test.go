package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
)

// together executes requests as an endpoint for batches does.
func together(t *testing.T, l *ledger.Ledger, requests []ledger.Request) (all []ledger.Result) {
	t.Helper()
	for len(requests) > 0 {
		var wishes []ledger.Wish
		for _, r := range requests {
			wishes = append(wishes, ledger.Wish{Context: t.Context(), Request: r})
		}
		got := l.ExecuteTogether(t.Context(), wishes)
		if len(got) == 0 || len(got) > len(wishes) {
			t.Fatalf("of %d requests %d were executed", len(wishes), len(got))
		}
		all, requests = append(all, got...), requests[len(got):]
	}
	return all
}

// saying returns something that ada says, or that is said about her: mostly what can be
// appended together with what she says next.
func saying(r *rand.Rand, n int, now deadline.Instant, before []ledger.Request) ledger.Request {
	ads := policy.Scope{Purposes: []policy.PurposeID{"ads"}}
	said := requestOf(fmt.Sprint("said ", n), nil)
	said.At = []deadline.Instant{0, now - deadline.Instant(r.IntN(20_000)), now + deadline.Instant(r.IntN(20_000))}[r.IntN(3)]
	switch r.IntN(14) {
	case 0:
		said.Command = domain.RefuseConsent{Scope: ads}
	case 1:
		said.Command = domain.WithdrawConsent{Scope: policy.Scope{All: true}}
	case 2:
		said.Command = domain.RefuseConsent{Scope: ads, Act: "gpc"} // says nothing new the second time
	case 3:
		said.Command = domain.GiveConsent{Act: "no such act"}
	case 4:
		said.Command = domain.Say{Event: domain.SubjectLinked{Proof: "login"}}
		said.Other = account("bob")
	case 5:
		said.Command = domain.Say{Event: domain.AgeRecorded{Band: domain.Adult, Basis: "declared"}}
	case 6:
		if len(before) == 0 {
			return saying(r, n, now, before)
		}
		again := before[r.IntN(len(before))]
		if r.IntN(3) == 0 {
			again.Body = []byte("something else")
		}
		return again
	default:
		said.Command = domain.GiveConsent{Act: "agree", Details: domain.Personal(fmt.Sprint("words ", n))}
	}
	said.Body = fmt.Append(nil, said.Command, said.At)
	return said
}

// A fact is what a record says, whatever the keys of its person are. Records of one
// moment are milliseconds apart, and how many depends on how often somebody looked.
type fact struct {
	kind     string
	at       deadline.Instant // zero: when it was recorded
	noun     ident.Noun
	revision eventstore.Revision
	counts   string
}

func factsOf(t *testing.T, l *ledger.Ledger) (all []fact) {
	t.Helper()
	last := map[ident.StreamID]deadline.Instant{}
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Recorded <= last[e.Stream] && e.Stream.Noun == ident.SubjectNoun {
			t.Errorf("%s: recorded at %d, the one before at %d", e.Type, e.Recorded, last[e.Stream])
		}
		f := fact{kind: e.Type, at: e.At, revision: e.Revision, noun: e.Stream.Noun}
		if last[e.Stream] = e.Recorded; e.At == e.Recorded {
			f.at = 0
		}
		if given, ok := e.Event.(domain.ConsentGiven); ok {
			f.counts = fmt.Sprint(given.Hindered, len(given.Items))
		}
		all = append(all, f)
	}
	return all
}

// TestTogetherIsAsOneAfterTheOther: what ada says in one go leaves the same records, is
// answered the same, and is answered so again, as if each had come alone.
func TestTogetherIsAsOneAfterTheOther(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	appended := 0
	for range 25 {
		one, oneStore, openOne := besideWorld(t)
		all, allStore, openAll := besideWorld(t)
		single, joined := openOne(), openAll()
		for _, l := range []*ledger.Ledger{single, joined} {
			begin(t, l)
		}

		var before []ledger.Request
		for batch := range 3 {
			one.now += 30_000
			all.now = one.now
			var said []ledger.Request
			for n := range 1 + r.IntN(20) {
				said = append(said, saying(r, 100*batch+n, one.now, append(before, said...)))
			}
			before = append(before, said...)

			var want []ledger.Result
			for _, req := range said {
				receipt, err := single.Execute(t.Context(), req)
				want = append(want, ledger.Result{Receipt: receipt, Err: err})
			}
			got := together(t, joined, said)
			later := openAll() // has nobody in memory
			for i := range want {
				g, w := got[i], want[i]
				if code(g.Err) != code(w.Err) || (g.Err == nil) != (w.Err == nil) {
					t.Fatalf("%T %s: %v, alone %v", said[i].Command, said[i].ID, g.Err, w.Err)
				}
				if g.Receipt.Event == (eventstore.EventID{}) != (w.Receipt.Event == (eventstore.EventID{})) {
					t.Fatalf("%T %s: %+v, alone %+v", said[i].Command, said[i].ID, g.Receipt, w.Receipt)
				}
				g.Receipt.Event, w.Receipt.Event = eventstore.EventID{}, eventstore.EventID{} // under other keys
				if g.Receipt != w.Receipt {
					t.Fatalf("%T %s: %+v, alone %+v", said[i].Command, said[i].ID, g.Receipt, w.Receipt)
				}
				if g.Err != nil || g.Receipt.Repeats {
					continue
				}
				if again, err := later.Execute(t.Context(), said[i]); err != nil || again != got[i].Receipt {
					t.Fatalf("%T %s: again %+v %v, was %+v", said[i].Command, said[i].ID, again, err, got[i].Receipt)
				}
			}
			if g, w := factsOf(t, joined), factsOf(t, single); !slices.Equal(g, w) {
				t.Fatalf("together: %+v\nalone: %+v", g, w)
			}
			foldsFromSnapshots(t, joined)
		}
		followsWhatIsStored(t, joined)
		if allStore.appends > oneStore.appends {
			t.Errorf("%d appends, alone %d", allStore.appends, oneStore.appends)
		}
		appended += oneStore.appends - allStore.appends
	}
	if appended == 0 {
		t.Error("nothing was appended together: this has proved nothing")
	}
}

// agreed returns n requests in which ada agrees.
func agreed(n int) (all []ledger.Request) {
	for i := range n {
		all = append(all, requestOf(fmt.Sprint("agreed ", i), domain.GiveConsent{Act: "agree", Details: "words"}))
	}
	return all
}

func TestWhatOnePersonSaysAtOnceIsOneAppend(t *testing.T) {
	_, store, open := besideWorld(t)
	l := open()
	begin(t, l)
	store.appends = 0

	if got := together(t, l, agreed(90)); len(got) != 90 || store.appends != 1 {
		t.Errorf("%d were executed by %d appends, want 90 by one", len(got), store.appends)
	}
	at := eventstore.Position(0)
	for i, got := range together(t, l, agreed(90)) { // again
		if got.Err != nil || got.Receipt.Position <= at {
			t.Errorf("%d: %+v, %v", i, got.Receipt, got.Err)
		}
		at = got.Receipt.Position
	}
	if store.appends != 1 {
		t.Errorf("what was said before took %d appends", store.appends-1)
	}
}

// TestWhatIsAppendedTogetherGoesNotFarAheadOfTheClock: while many persons' batches come, the
// times of what is recorded stay where the clock is, but for a tenth of a second.
func TestWhatIsAppendedTogetherGoesNotFarAheadOfTheClock(t *testing.T) {
	w, store, open := besideWorld(t)
	l := open()
	begin(t, l)
	store.appends = 0
	store.before = func() error { w.now++; return nil } // a disk sync takes as long

	for n := range 100 {
		said := agreed(20)
		for i := range said {
			said[i].Person = account(fmt.Sprint("p", n))
		}
		together(t, l, said)
		if ahead := l.Now() - w.now; ahead > 100+20 {
			t.Fatalf("after %d batches what is recorded is %d ms ahead of the clock", n+1, ahead)
		}
	}
	if store.appends >= 100*20 {
		t.Errorf("%d appends: nothing was appended together", store.appends)
	}

	w.now += 200
	store.appends = 0
	if together(t, l, agreed(20)); store.appends != 1 {
		t.Errorf("once the clock has come as far, 20 took %d appends", store.appends)
	}
}

// TestAnAppendOfSeveralThatFailsFailsAll: nothing of it is there, and whoever asks again is
// answered.
func TestAnAppendOfSeveralThatFailsFailsAll(t *testing.T) {
	_, store, open := besideWorld(t)
	l := open()
	begin(t, l)

	full := errors.New("the disk is full")
	store.before = func() error { return full }
	for i, got := range together(t, l, agreed(3)) {
		if !errors.Is(got.Err, full) {
			t.Errorf("%d: %+v, %v", i, got.Receipt, got.Err)
		}
	}
	store.before = nil
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range together(t, l, agreed(3)) {
		if got.Err != nil || got.Receipt.Position != head+eventstore.Position(i)+1 {
			t.Errorf("%d: %+v, %v", i, got.Receipt, got.Err)
		}
	}
}

// TestWhoIsSlowerAppendsBehind: what another ledger records of the same person meanwhile
// comes first, and nothing is lost or said twice.
func TestWhoIsSlowerAppendsBehind(t *testing.T) {
	_, store, open := besideWorld(t)
	l, other := open(), open()
	begin(t, l)
	must(t, l, requestOf("begins", domain.GiveConsent{Act: "agree"}))

	races := 0
	store.before = func() error {
		if races++; races == 1 {
			must(t, other, requestOf("faster", domain.WithdrawConsent{Scope: policy.Scope{All: true}}))
		}
		return nil
	}
	for i, got := range together(t, l, agreed(4)) {
		if got.Err != nil {
			t.Errorf("%d: %v", i, got.Err)
		}
	}
	store.before = nil

	kinds := map[string]int{}
	for e, err := range l.Replay(context.Background(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		kinds[e.Type]++
	}
	if kinds["consent.withdrawn.v2"] != 1 || kinds["consent.given.v2"] != 1+4 {
		t.Errorf("recorded: %v", kinds)
	}
}

// TestWhatIsNoPlainSayingIsExecutedAlone holds what each kind of request needs beside its
// person's own history.
func TestWhatIsNoPlainSayingIsExecutedAlone(t *testing.T) {
	_, store, open := besideWorld(t)
	l := open()
	begin(t, l)
	must(t, l, requestOf("begins", domain.GiveConsent{Act: "agree"}))

	bob := agreed(2)
	bob[1].Person = account("bob")
	signed := agreed(2)
	signed[1].Signed = &ledger.Signature{Signer: "nobody"}
	for name, pair := range map[string][]ledger.Request{"of two persons": bob, "signed": signed} {
		for i := range pair {
			pair[i].ID += name
		}
		store.appends = 0
		got := together(t, l, pair)
		if got[0].Err != nil || store.appends > 2 {
			t.Errorf("%s: %v, %d appends", name, got[0].Err, store.appends)
		}
		if name == "signed" && code(got[1].Err) != refusal.UnknownSigner {
			t.Errorf("signed by nobody who is known: %v", got[1].Err)
		}
		if name == "of two persons" && (got[1].Err != nil || store.appends != 2) {
			t.Errorf("of two persons: %v, %d appends", got[1].Err, store.appends)
		}
	}
}

// TestAnOptOutWhileOthersAreDecidedIsRecordedNoEarlier: what is said on a linked device while
// several grants are being decided is recorded no earlier than those that were decided by
// then, as if each of them had come alone.
func TestAnOptOutWhileOthersAreDecidedIsRecordedNoEarlier(t *testing.T) {
	_, store, open := besideWorld(t)
	l := open()
	begin(t, l)
	link := requestOf("links", domain.Say{Event: domain.SubjectLinked{Proof: "login"}})
	link.Other = account("device")
	must(t, l, link)

	looks := 0
	store.tick = func() {
		if looks++; looks < 8 {
			return // the first grants are decided by then
		}
		store.tick = nil
		no := requestOf("says no", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
		no.Person = account("device")
		must(t, l, no)
	}
	for i, got := range together(t, l, agreed(5)) {
		if got.Err != nil {
			t.Errorf("%d: %v", i, got.Err)
		}
	}
	var no deadline.Instant
	earlier := 0
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		switch e.Event.(type) {
		case domain.ConsentWithdrawn: // it was appended first
			no = e.Recorded
		case domain.ConsentGiven:
			if e.Recorded <= no {
				earlier++
			}
		}
	}
	if earlier < 2 {
		t.Errorf("%d grants are recorded no later than the opt-out, before which some were decided", earlier)
	}
	if store.tick != nil || store.appends == 0 {
		t.Errorf("the opt-out did not come in between: after %d looks at the clock", looks)
	}
}
