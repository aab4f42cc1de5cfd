package domain_test

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/domain/rounds"
)

// long returns n facts of one person: every kind that a history may hold.
func long(n int, r *rand.Rand) []Fact {
	facts := make([]Fact, n)
	any := func(i int) ident.EventID { return facts[r.IntN(i+1)].ID }
	other := func() string { return string('a' + rune(r.IntN(4))) }
	for i := range facts {
		var id ident.EventID
		binary.BigEndian.PutUint64(id[:], uint64(i)+1)
		at := t0 + deadline.Instant(i)*1000
		facts[i] = Fact{ID: id, At: at - deadline.Instant(r.IntN(3000)), Recorded: at, Rules: Rules}
		facts[i].Event = []Event{
			ConsentGiven{Policy: "privacy", Version: v1, Items: []Item{{Purpose: "ads"}}, Once: r.IntN(2) == 0},
			ConsentRefused{Scope: policy.Scope{All: true}, Act: "gpc", Signal: r.IntN(2) == 0},
			ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}},
			ConsentUsed{Consents: []ident.EventID{any(i), any(i)}},
			PermissionGranted{Permission: "network"}, PermissionDenied{Permission: "camera"},
			PermissionRevoked{Permission: "network", Withdraws: []policy.PurposeID{"net"}},
			NoticePresented{Policy: "privacy", Version: v1}, PolicyAcknowledged{Policy: "privacy", Version: v1},
			RecordVoided{Records: []ident.EventID{any(i), any(i)}}, RecordDisputed{Records: []ident.EventID{any(i)}},
			AgeRecorded{Band: ChildUnder14}, GuardianVerified{Guardian: GuardianRef(other())}, GuardianEnded{Guardian: GuardianRef(other())},
			SubjectLinked{Other: other()}, SubjectUnlinked{Other: other()},
			ExemptionInvoked{Code: "E", Purposes: []policy.PurposeID{"ads"}}, ExemptionEnded{Exemption: any(i)},
			HoldPlaced{}, HoldReleased{}, RestrictionApplied{}, RestrictionLifted{},
			SubjectMarkedTest{}, RequestMade{Request: other(), Types: []request.Type{request.Access}}, Noted{Kind: "data.deleted"},
		}[r.IntN(25)]
	}
	return facts
}

// TestAHistoryFoldsTheSameWhoeverOwnsIt: a state comes out the same whether its
// lists were copied, grew where they were, or changed where they were; and a
// state that somebody else holds stays as it was.
func TestAHistoryFoldsTheSameWhoeverOwnsIt(t *testing.T) {
	for seed := range uint64(min(rounds.Of(t, 2), 6)) {
		var shared, newest, alone Subject
		var states, grown []Subject
		for _, f := range long(300, rand.New(rand.NewPCG(seed, 0))) {
			shared, newest, alone = shared.Evolve(f), newest.Fold(f, lists.Newest), alone.Fold(f, lists.Alone)
			states, grown = append(states, shared), append(grown, newest)
			if !reflect.DeepEqual(newest, shared) || !reflect.DeepEqual(alone, shared) {
				t.Fatalf("seed %d, fact %d, %T: the states differ", seed, len(states), f.Event)
			}
		}
		for i := range states {
			if !reflect.DeepEqual(grown[i], states[i]) {
				t.Fatalf("seed %d: the state after %d facts changed when more were folded", seed, i+1)
			}
		}

		// Whoever folds into an older state has lists of their own.
		old := grown[150].Fold(Fact{Event: ConsentWithdrawn{}}, lists.Shared)
		if !reflect.DeepEqual(grown[151], states[151]) || len(old.Answers()) == 0 {
			t.Fatalf("seed %d: a second state after the same one changed the first", seed)
		}
	}
}

// TestFoldingIsLinear counts what folding takes in memory: twice the facts take
// twice as much, and not four times.
func TestFoldingIsLinear(t *testing.T) {
	facts := long(8000, rand.New(rand.NewPCG(1, 1)))
	took := func(n int, own lists.Own) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var s Subject
		for _, f := range facts[:n] {
			s = s.Fold(f, own)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if few, many := took(4000, lists.Alone), took(8000, lists.Alone); many > 3*few {
		t.Errorf("4000 facts took %d bytes, 8000 %d", few, many)
	}
	var plain []Fact
	for _, f := range facts {
		switch f.Event.(type) {
		case ConsentGiven, ConsentRefused, ConsentWithdrawn, NoticePresented, PolicyAcknowledged:
			plain = append(plain, f)
		}
	}
	facts = append(append(facts[:0], plain...), plain...)
	if few, many := took(len(plain), lists.Newest), took(2*len(plain), lists.Newest); many > 3*few {
		t.Errorf("%d answers took %d bytes in the newest state, %d took %d", len(plain), few, 2*len(plain), many)
	}
}

// BenchmarkFold is a person of 6,000 events.
func BenchmarkFold(b *testing.B) {
	facts := long(6000, rand.New(rand.NewPCG(1, 1)))
	for name, own := range map[string]lists.Own{"shared": lists.Shared, "newest": lists.Newest, "alone": lists.Alone} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var s Subject
				for _, f := range facts {
					s = s.Fold(f, own)
				}
			}
		})
	}
}

// BenchmarkStanding asks where that person stands with one purpose.
func BenchmarkStanding(b *testing.B) {
	var s Subject
	for _, f := range long(6000, rand.New(rand.NewPCG(1, 1))) {
		s = s.Fold(f, lists.Alone)
	}
	r := ref()
	for b.Loop() {
		s.Standing("ads", t0+6000*1000, r)
	}
}
