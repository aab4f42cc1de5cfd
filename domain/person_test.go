package domain_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	. "consentledger/domain"
)

func fact(id byte, at Instant, e Event) Fact {
	return Fact{ID: EventID{id}, At: at, Recorded: at, Event: e}
}

func byGuardian(id byte, at Instant) Fact {
	return fact(id, at, ConsentGiven{Policy: "privacy", Version: v1, Kind: GuardianConsent, Guardian: "mother", Items: []Item{{Purpose: "ads"}}})
}

func TestAChildGrowsUp(t *testing.T) {
	birthday := noon
	child := []Fact{aged(ChildUnder14, t0), guarded(), byGuardian(1, t0+1), aged(Aged14, birthday)}
	ask := func(s Subject, at Instant) Answer {
		return May(s, ref(), Question{Purpose: "ads", Action: Use, At: at})
	}
	if got := ask(fold(aged(ChildUnder14, t0), yes(1, t0, t0)), later); got.Allowed || got.Why != WhyGuardian {
		t.Errorf("a child alone: %v because %v", got.Allowed, got.Why)
	}
	if got := ask(fold(child...), birthday-1); !got.Allowed || got.Band != ChildUnder14 {
		t.Errorf("before the birthday: %v because %v", got.Allowed, got.Why)
	}
	if got := ask(fold(child...), birthday); got.Allowed || got.Standing.Status != Expired || got.Standing.Since != birthday {
		t.Errorf("at 14 the guardian's consent lapses: %+v", got)
	}
	if got := ask(fold(append(child, yes(2, birthday+1, birthday+1))...), later); !got.Allowed {
		t.Errorf("the child's own: %v", got.Why)
	}
	if got := ask(fold(append(child, yes(3, t0-5, t0-5))...), later); got.Allowed || got.Standing.Status != Expired {
		t.Errorf("what a child said alone counts no more at 14: %+v", got)
	}
	if got := May(fold(aged(ChildUnder14, t0)), ref(), Question{Purpose: "tax", Action: Use, At: later}); !got.Allowed {
		t.Errorf("what the law orders: %v", got.Why)
	}
	grown := fold(append(child, aged(Adult, later))...)
	if !grown.GuardianAt("mother", birthday) || grown.GuardianAt("mother", later) {
		t.Error("at 18 the guardian's access ends, and not before")
	}
}

func TestAChildsDataWithoutAGuardianAreFound(t *testing.T) {
	for name, tt := range map[string]struct {
		given []Fact
		want  int
	}{
		"who said yes alone": {[]Fact{yes(1, t0, t0)}, 2},
		"who said nothing":   {nil, 1},
		"who has a guardian": {[]Fact{aged(ChildUnder14, t0), guarded(), byGuardian(1, t0+1)}, 1},
	} {
		then, err := fold(tt.given...).Decide(Say{AgeRecorded{Band: ChildUnder14, Basis: "declared"}}, ref(), noon, noon)
		if err != nil || len(then) != tt.want {
			t.Errorf("%s: %v, %v", name, then, err)
		}
	}
}

func TestAnyonesNoWinsForAChild(t *testing.T) {
	s := fold(aged(ChildUnder14, t0), guarded(), byGuardian(1, t0+1), no(2, noon, noon))
	if got := s.Standing("ads", later, ref()); got.Status != Withdrawn {
		t.Errorf("got %v", got.Status)
	}
}

func TestANoCrossesALinkAndAYesDoesNot(t *testing.T) {
	link := fact(80, noon, SubjectLinked{Other: "device", Proof: "login"})
	open := Link{Other: "device", From: noon}
	for _, tt := range []struct {
		name    string
		account []Fact
		device  []Fact
		link    Link
		want    Status
	}{
		{"a yes stays on the device", nil, []Fact{yes(1, t0, t0)}, open, NeverAsked},
		{"a no comes along", nil, []Fact{no(1, t0, t0)}, open, Withdrawn},
		{"a no wins over an older yes of the account", []Fact{yes(1, t0, t0)}, []Fact{no(2, t0+1, t0+1)}, open, Withdrawn},
		{"a yes of the account that is later in both times wins", []Fact{yes(2, later, later)}, []Fact{no(1, t0, t0)}, open, Given},
		{"a no from after the link was over stays", []Fact{yes(1, t0, t0)}, []Fact{no(2, later, later)}, Link{Other: "device", From: noon, Until: noon + 5}, Given},
		{"a no from before the link was over stays for good", []Fact{yes(1, t0, t0)}, []Fact{no(2, noon, noon)}, Link{Other: "device", From: noon, Until: noon + 5}, Withdrawn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := fold(append(tt.account, link)...).With(tt.link, fold(tt.device...))
			if got := s.Standing("ads", later+1, ref()); got.Status != tt.want {
				t.Errorf("got %v, want %v", got.Status, tt.want)
			}
		})
	}
	first := fold(no(1, t0, t0))
	device := fold(fact(81, noon, SubjectLinked{Other: "first", Proof: "login"})).With(Link{Other: "first"}, first)
	second := fold(link).With(open, device)
	if got := second.Standing("ads", later, ref()); got.Status != NeverAsked {
		t.Errorf("a shared device passed on the first account's choice: %v", got.Status)
	}
}

func TestEndingAHistoryEndsEverything(t *testing.T) {
	for _, e := range []Event{SubjectReassigned{Reason: "phone-recycled"}, SubjectClosed{Reason: "deleted-by-user"}} {
		s := fold(yes(1, t0, t0), fact(2, noon, e))
		if got := s.Standing("ads", later, ref()); got.Status != Withdrawn || got.Because[0] != (EventID{2}) {
			t.Errorf("%T: %v", e, got)
		}
	}
}

func TestMistakesOfABuildAreVoidedTogether(t *testing.T) {
	built := func(f Fact, build string) Fact {
		switch e := f.Event.(type) {
		case ConsentGiven:
			e.Build = build
			f.Event = e
		case ConsentWithdrawn:
			e.Build = build
			f.Event = e
		}
		return f
	}
	r := ref()
	r.Service = r.Service.Evolve(fact(90, later, BuildVoided{Build: "bad", From: t0, To: noon, Reason: "ticked-before", By: [2]string{"a", "b"}}))
	for _, tt := range []struct {
		name  string
		given []Fact
		want  Status
	}{
		{"a yes of the build is gone", []Fact{built(yes(1, t0, t0), "bad")}, NeverAsked},
		{"a yes of another build stays", []Fact{built(yes(1, t0, t0), "good")}, Given},
		{"a yes of the build, after the span, stays", []Fact{built(yes(1, noon, noon), "bad")}, Given},
		{"a no of the build never restores a yes", []Fact{yes(1, t0, t0), built(no(2, t0+1, t0+1), "bad")}, AskAgain},
	} {
		if got := fold(tt.given...).Standing("ads", later, r); got.Status != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got.Status, tt.want)
		}
	}
}

func TestASingleUseIsUsedUp(t *testing.T) {
	f := yes(1, t0, t0)
	e := f.Event.(ConsentGiven)
	e.Once = true
	f.Event = e
	s := fold(f)
	then, err := s.Decide(Say{ConsentUsed{[]EventID{{1}}}}, ref(), noon, noon)
	if err != nil || len(then) != 1 {
		t.Fatalf("%v, %v", then, err)
	}
	s = s.Evolve(fact(2, noon, then[0]))
	if got := s.Standing("ads", later, ref()); got.Status != Expired || got.Since != noon {
		t.Errorf("after its use: %v since %v", got.Status, got.Since)
	}
	if got := s.Standing("ads", noon-1, ref()); got.Status != Given {
		t.Errorf("before its use: %v", got.Status)
	}
	for name, tt := range map[string]struct {
		s    Subject
		code Code
	}{"twice": {s, AlreadyUsed}, "one that is for many": {fold(yes(1, t0, t0)), Contradicts}, "nobody's": {Subject{}, UnknownRecord}} {
		_, err := tt.s.Decide(Say{ConsentUsed{[]EventID{{1}}}}, ref(), later, later)
		if got, _ := errors.AsType[Refusal](err); got.Code != tt.code {
			t.Errorf("%s: %v, want %v", name, err, tt.code)
		}
	}
}

// Whatever is said in whatever order with whatever clocks, in the history or
// in one that is linked, twice or once, and whatever of it is voided: after a
// no that nothing said later in both times, nobody may be taken to have agreed.
func TestNoSequenceTurnsANoIntoAYes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	for range 20000 {
		var own, device []Fact
		recorded := t0
		for id := range byte(r.IntN(8)) {
			recorded += Instant(r.IntN(3))
			f := yes(id, t0+Instant(r.Int64N(100)), recorded)
			switch r.IntN(4) {
			case 0:
				f = no(id, t0+Instant(r.Int64N(int64(recorded-t0)+1)), recorded)
			case 1:
				f.Event = SubjectMarkedTest{}
			}
			n := 1 + r.IntN(2) // a duplicate that slipped through
			for range n {
				if r.IntN(2) == 0 {
					own = append(own, f)
				} else {
					device = append(device, f)
				}
			}
		}
		last := no(50, t0+Instant(r.Int64N(int64(recorded-t0)+1)), recorded)
		where := &own
		if r.IntN(2) == 0 {
			where = &device
		}
		*where = append(*where, last)
		ref := ref()
		if r.IntN(3) == 0 {
			*where = append(*where, voidOf(50))
		}
		s := fold(own...).With(Link{Other: "device"}, fold(device...))
		if r.IntN(3) == 0 {
			s = s.Evolve(voidOf(byte(r.IntN(8))))
		}
		for at := recorded; at < t0+200; at += 7 {
			if got := s.Standing("ads", at, ref); got.Status == Given {
				t.Fatalf("at %v given by %v, after %+v and on the device %+v", at, got.Because, own, device)
			}
		}
	}
}
