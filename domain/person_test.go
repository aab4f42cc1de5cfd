package domain_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/link"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/rounds"
)

func fact(id byte, at deadline.Instant, e Event) Fact {
	return Fact{ID: ident.EventID{id}, At: at, Recorded: at, Event: e}
}

func byGuardian(id byte, at deadline.Instant) Fact {
	return fact(id, at, ConsentGiven{Policy: "privacy", Version: v1, Kind: policy.GuardianConsent, Guardian: "mother", Items: []Item{{Purpose: "ads"}}})
}

func TestAChildGrowsUp(t *testing.T) {
	birthday := noon
	child := []Fact{aged(ChildUnder14, t0), guarded(), byGuardian(1, t0+1), aged(Aged14, birthday)}
	ask := func(s Subject, at deadline.Instant) Answer {
		return May(s, ref(), Question{Purpose: "ads", Action: policy.Use, At: at})
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
	if got := May(fold(aged(ChildUnder14, t0)), ref(), Question{Purpose: "tax", Action: policy.Use, At: later}); !got.Allowed {
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
	linked := fact(80, noon, SubjectLinked{Other: "device", Proof: "login"})
	open := link.Link{Other: "device", From: noon}
	for _, tt := range []struct {
		name    string
		account []Fact
		device  []Fact
		link    link.Link
		want    Status
	}{
		{"a yes stays on the device", nil, []Fact{yes(1, t0, t0)}, open, NeverAsked},
		{"a no comes along", nil, []Fact{no(1, t0, t0)}, open, Withdrawn},
		{"a no wins over an older yes of the account", []Fact{yes(1, t0, t0)}, []Fact{no(2, t0+1, t0+1)}, open, Withdrawn},
		{"a yes of the account that is later in both times wins", []Fact{yes(2, later, later)}, []Fact{no(1, t0, t0)}, open, Given},
		{"a no from after the link was over stays", []Fact{yes(1, t0, t0)}, []Fact{no(2, later, later)}, link.Link{Other: "device", From: noon, Until: noon + 5}, Given},
		{"a no from before the link was over stays for good", []Fact{yes(1, t0, t0)}, []Fact{no(2, noon, noon)}, link.Link{Other: "device", From: noon, Until: noon + 5}, Withdrawn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := fold(append(tt.account, linked)...).With(tt.link, fold(tt.device...))
			if got := s.Standing("ads", later+1, ref()); got.Status != tt.want {
				t.Errorf("got %v, want %v", got.Status, tt.want)
			}
		})
	}
}

// A shared device passes on nothing that somebody chose who left it; while both
// accounts are linked to it they are one person.
func TestAnOptOutGoesOnThroughASharedHistory(t *testing.T) {
	linked := func(other string, at deadline.Instant) Fact {
		f := fact(80, at, SubjectLinked{Other: other, Proof: "login"})
		f.Rules = Rules
		return f
	}
	left := fact(81, noon, SubjectUnlinked{Other: "first", Reason: "logout"})
	for _, tt := range []struct {
		name                  string
		first, device, second []Fact
		want                  Status
	}{
		{"both are linked", []Fact{no(1, t0, t0)}, []Fact{linked("first", t0), linked("second", noon)}, []Fact{linked("device", noon)}, Withdrawn},
		{"the first had left", []Fact{no(1, t0, t0)}, []Fact{linked("first", t0), left, linked("second", later)}, []Fact{linked("device", later)}, NeverAsked},
		{"what came back to the device before the second", []Fact{no(1, t0, t0)}, []Fact{linked("first", t0), left, linked("first", later), linked("second", later)}, []Fact{linked("device", later)}, Withdrawn},
		{"what was all recorded before the rule goes through one link only",
			[]Fact{no(1, t0, t0)}, []Fact{before(linked("first", t0)), before(linked("second", noon))}, []Fact{before(linked("device", noon))}, NeverAsked},
		{"a newer opt-out goes through older links", []Fact{numbered(no(1, t0, t0), 1)}, []Fact{before(linked("first", t0)), before(linked("second", noon))}, []Fact{before(linked("device", noon))}, Withdrawn},
		{"an older opt-out goes through a newer link", []Fact{before(no(1, t0, t0))}, []Fact{before(linked("first", t0)), linked("second", noon)}, []Fact{linked("device", noon)}, Withdrawn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := map[string]Subject{"first": fold(tt.first...), "device": fold(tt.device...), "second": fold(tt.second...)}
			s, err := all["second"].Whole("second", func(other string) (Subject, error) { return all[other], nil })
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Standing("ads", later+1, ref()); got.Status != tt.want {
				t.Errorf("got %v, want %v", got.Status, tt.want)
			}
		})
	}
}

func TestEndingAHistoryEndsEverything(t *testing.T) {
	for _, e := range []Event{SubjectReassigned{Reason: "phone-recycled"}, SubjectClosed{Reason: "deleted-by-user"}} {
		s := fold(yes(1, t0, t0), fact(2, noon, e))
		if got := s.Standing("ads", later, ref()); got.Status != Withdrawn || got.Because[0] != (ident.EventID{2}) {
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
	then, err := s.Decide(Say{ConsentUsed{[]ident.EventID{{1}}}}, ref(), noon, noon)
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
		code refusal.Code
	}{"twice": {s, refusal.AlreadyUsed}, "one that is for many": {fold(yes(1, t0, t0)), refusal.Contradicts}, "nobody's": {Subject{}, refusal.UnknownRecord}} {
		_, err := tt.s.Decide(Say{ConsentUsed{[]ident.EventID{{1}}}}, ref(), later, later)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code {
			t.Errorf("%s: %v, want %v", name, err, tt.code)
		}
	}
}

// Drawn are: up to twelve facts of a person and of a device of theirs, which a
// tablet is linked to, on wrong clocks, in any order, some twice: grants and opt-outs of the person, of the mother
// and of the father, with and without numbers of their source, of a build or of
// none; refusals, opt-outs to everything, revoked permissions; ages, guardians who
// are verified and who are not any more; links that open, close and open again,
// on both sides; exemptions, disputes, marks, single uses, holds and their ends;
// newer versions of the policy; and voids of any of them, alone or by build.
// Then somebody withdraws.
//
// The invariant: whoever that was, and whatever of it is voided afterwards,
// nobody may be taken to agree from then on to what was said by then.
func TestNoSequenceTurnsANoIntoAYes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	for range rounds.Of(t, 4000) {
		d := drawing{r: r, recorded: t0}
		for id := range byte(1 + r.IntN(12)) {
			d.draw(id + 1)
		}
		d.withdraw()
		for range r.IntN(4) {
			d.afterwards()
		}
		s := d.subject()
		for at := d.said; at < t0+400; at += 13 {
			a := May(s, d.ref, Question{Purpose: "ads", Action: policy.Use, At: at})
			if a.Allowed || a.Standing.Status == Given {
				t.Fatalf("at %v allowed %v, %+v, after %+v, on the device %+v and on the tablet %+v", at, a.Allowed, a.Standing, d.own, d.device, d.tablet)
			}
		}
	}
}

// A drawing is a history as chance has it.
type drawing struct {
	r           *rand.Rand
	recorded    deadline.Instant
	own, device []Fact
	tablet      []Fact
	ref         Reference
	said        deadline.Instant // when the last no was recorded
	begun       bool
}

func (d *drawing) time() deadline.Instant {
	return t0 + deadline.Instant(d.r.Int64N(int64(d.recorded-t0)+20))
}

// add puts a fact into one of the two histories, perhaps twice.
func (d *drawing) add(f Fact) {
	for range 1 + d.r.IntN(2) {
		if d.r.IntN(3) == 0 {
			d.device = append(d.device, f)
		} else {
			d.own = append(d.own, f)
		}
	}
}

func (d *drawing) draw(id byte) {
	if !d.begun {
		d.ref, d.begun = ref(), true
	}
	d.recorded += 1 + deadline.Instant(d.r.IntN(3))
	g := []GuardianRef{"", "mother", "father"}[d.r.IntN(3)]
	build := []string{"", "bad"}[d.r.IntN(2)]
	f := Fact{ID: ident.EventID{id}, At: d.time(), Recorded: d.recorded}
	switch d.r.IntN(16) {
	case 0, 1, 2, 3, 4:
		kind := policy.ExplicitConsent
		if g != "" {
			kind = policy.GuardianConsent
		}
		short := []Shortfall{"", "", "", NeedsGuardian, GuardianLapsed}[d.r.IntN(5)]
		f.Event = ConsentGiven{Policy: "privacy", Version: v1, Kind: kind, Guardian: g, Build: build, Once: d.r.IntN(4) == 0, Items: []Item{{"ads", short}}}
	case 5:
		f.Event = ConsentWithdrawn{Scope: policy.Scope{All: true}, Guardian: g, Build: build}
	case 6:
		f.Event = ConsentRefused{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}, Guardian: g, Build: build}
	case 7:
		f.Event = PermissionRevoked{Permission: "network", Withdraws: []policy.PurposeID{"ads"}}
	case 8, 9:
		f.Event = AgeRecorded{Band: []AgeBand{ChildUnder14, Aged14, Aged15To17, Adult}[d.r.IntN(4)], Basis: "declared"}
	case 10:
		f.Event = GuardianVerified{Guardian: "mother"}
	case 11:
		f.Event = GuardianEnded{Guardian: "father", Reason: "x"}
	case 12:
		f.Event = SubjectUnlinked{Other: []string{"device", "own"}[d.r.IntN(2)]}
	case 13:
		f.Event = SubjectLinked{Other: []string{"device", "own"}[d.r.IntN(2)]}
	case 14:
		f.Event = ExemptionInvoked{List: ForCollection, Code: "c", Purposes: []policy.PurposeID{"ads"}, Until: t0 + 1000}
	case 15:
		f.Event = []Event{RecordDisputed{Records: []ident.EventID{{1}}}, SubjectMarkedTest{}, ConsentUsed{Consents: []ident.EventID{{1}}}, HoldPlaced{}, HoldReleased{},
			d.voidOf(1 + d.r.IntN(int(id)))}[d.r.IntN(6)]
	}
	if d.r.IntN(3) == 0 {
		f.Source, f.Sequence, f.Rules = Source{1}, uint64(id), Rules
	}
	d.add(f)
	if d.r.IntN(10) == 0 {
		v, _ := d.ref.Policies.Version(v1)
		d.ref.Policies = d.ref.Policies.Evolve(fact(200+id, d.recorded, PolicyPublished{Version: content.Hash{id, 2}, Document: v.Document, Effective: d.recorded}))
	}
}

func (d *drawing) voidOf(id int) Event {
	return RecordVoided{Records: []ident.EventID{{byte(id)}}, Reason: "x", By: [2]string{"a", "b"}}
}

// withdraw adds the opt-out that must hold, with the newest number of its source.
func (d *drawing) withdraw() {
	d.recorded++
	f := Fact{ID: ident.EventID{50}, At: min(d.time(), d.recorded), Recorded: d.recorded}
	f.Event = ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}, Guardian: []GuardianRef{"", "mother", "father"}[d.r.IntN(3)], Build: []string{"", "bad"}[d.r.IntN(2)]}
	switch f.Rules = Rules; d.r.IntN(3) {
	case 0:
		f.Source, f.Sequence = Source{1}, 50
	case 1:
		f.Source, f.Sequence, f.At = Source{1}, 1, d.recorded // counted anew, by a clock that is right
	}
	switch d.r.IntN(4) {
	case 0:
		d.device = append(d.device, f)
	case 1:
		d.tablet = append(d.tablet, f)
	default:
		d.own = append(d.own, f)
	}
	d.said = d.recorded
	if d.r.IntN(2) == 0 {
		d.device = append(d.device, f) // delivered to both
	}
}

// afterwards adds what says nothing new: voids, ages, links, the ends of holds.
func (d *drawing) afterwards() {
	d.recorded++
	id := byte(100 + d.r.IntN(50))
	switch d.r.IntN(5) {
	case 0, 1:
		d.add(fact(id, d.recorded, d.voidOf([]int{50, 1 + d.r.IntN(13)}[d.r.IntN(2)])))
	case 2:
		d.add(fact(id, d.recorded, AgeRecorded{Band: []AgeBand{ChildUnder14, Aged14, Adult}[d.r.IntN(3)], Basis: "declared"}))
	case 3:
		d.ref.Service = d.ref.Service.Evolve(fact(id, d.recorded, BuildVoided{Build: "bad", From: t0, To: d.recorded + 1, Reason: "x"}))
	case 4:
		d.add(fact(id, d.recorded, HoldReleased{Reason: "x"}))
	}
}

// subject folds three histories and what crosses between them: at last the
// device is linked to the person and the tablet to the device, besides whatever
// was linked and unlinked on the way.
func (d *drawing) subject() Subject {
	d.recorded++
	link := func(facts []Fact, others ...string) Subject {
		for _, other := range others {
			f := fact(250, d.recorded, SubjectLinked{Other: other, Proof: "login"})
			f.Rules = Rules
			facts = append(facts, f)
		}
		return fold(facts...)
	}
	all := map[string]Subject{"own": link(d.own, "device"), "device": link(d.device, "tablet"), "tablet": fold(d.tablet...)}
	s, err := all["own"].Whole("own", func(other string) (Subject, error) { return all[other], nil })
	if err != nil {
		panic(err)
	}
	return s
}
