package domain_test

import (
	"errors"
	"fmt"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/link"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
)

// by says who said a grant or an opt-out: a guardian.
func by(g GuardianRef, f Fact) Fact {
	switch e := f.Event.(type) {
	case ConsentGiven:
		e.Guardian, e.Kind = g, policy.GuardianConsent
		f.Event = e
	case ConsentWithdrawn:
		e.Guardian = g
		f.Event = e
	}
	return f
}

// tooYoungYes is a child's own grant, as Decide records it.
func tooYoungYes(id byte, at deadline.Instant) Fact {
	f := yes(id, at, at)
	f.Event = ConsentGiven{Policy: "privacy", Version: v1, Act: "agree", Kind: policy.GeneralConsent, Items: []Item{{Purpose: "ads", Short: NeedsGuardian}}}
	return f
}

func lateYes(id byte, at deadline.Instant) Fact {
	f := yes(id, at, at)
	f.Event = ConsentGiven{Policy: "privacy", Version: v1, Kind: policy.GuardianConsent, Guardian: "mother", Items: []Item{{Purpose: "ads", Short: GuardianLapsed}}}
	return f
}

func verified(id byte, g GuardianRef) Fact {
	return fact(id, t0, GuardianVerified{Guardian: g, Proof: Proof{Document: content.Hash{5}, Method: "scan", CheckedBy: "desk"}})
}

func TestWhoSaidNoForAChildSaysYes(t *testing.T) {
	child := []Fact{aged(ChildUnder14, t0), verified(71, "mother"), verified(72, "father"), by("mother", yes(1, t0+1, t0+1))}
	noon, ten := noon, deadline.Instant(10)
	for _, tt := range []struct {
		name  string
		given []Fact
		want  Status
	}{
		{"the mother's yes stands", nil, Given},
		{"the father's no wins over the mother's yes", []Fact{by("father", no(2, noon, noon))}, Withdrawn},
		{"the mother cannot take back the father's no", []Fact{by("father", no(2, noon, noon)), by("mother", yes(3, noon+ten, noon+ten))}, Withdrawn},
		{"the father can", []Fact{by("father", no(2, noon, noon)), by("father", yes(3, noon+ten, noon+ten))}, Given},
		{"and not by a yes from before it", []Fact{by("father", yes(3, noon-ten, noon-ten)), by("father", no(2, noon, noon))}, Withdrawn},
		{"after both said no both must say yes", []Fact{by("father", no(2, noon, noon)), by("mother", no(3, noon, noon+1)), by("father", yes(4, noon+ten, noon+ten))}, Withdrawn},
		{"and then it is given", []Fact{by("father", no(2, noon, noon)), by("mother", no(3, noon, noon+1)), by("father", yes(4, noon+ten, noon+ten)), by("mother", yes(5, noon+ten, noon+ten+1))}, Given},
		{"the mother cannot take back the child's own no", []Fact{no(2, noon, noon), by("mother", yes(3, noon+ten, noon+ten))}, Withdrawn},
		{"the child alone cannot either", []Fact{no(2, noon, noon), tooYoungYes(3, noon+ten)}, Withdrawn},
		{"the child and the mother together can", []Fact{no(2, noon, noon), tooYoungYes(3, noon+ten), by("mother", yes(4, noon+ten, noon+ten))}, Given},
		{"not by a child's yes from before the no", []Fact{tooYoungYes(3, noon-ten), no(2, noon, noon), by("mother", yes(4, noon+ten, noon+ten))}, Withdrawn},
		{"at 14 a guardian's no from before lapses, and one's own yes counts", []Fact{by("father", no(2, noon, noon)), aged(Aged14, noon+1), yes(3, noon+ten, noon+ten)}, Given},
		{"a guardian's no from after 14 stands", []Fact{aged(Aged14, noon), by("father", no(2, noon+1, noon+1)), yes(3, noon+ten, noon+ten)}, Withdrawn},
		{"until that guardian says yes too", []Fact{aged(Aged14, noon), by("mother", no(2, noon+1, noon+1)), yes(3, noon+ten, noon+ten), lateYes(4, noon+ten)}, Given},
		{"or until the person is 18, and says yes then", []Fact{aged(Aged14, noon), by("father", no(2, noon+1, noon+1)), aged(Adult, noon+2), yes(3, noon+ten, noon+ten)}, Given},
		{"but a yes from before 18 is none then", []Fact{aged(Aged14, noon), by("father", no(2, noon+1, noon+1)), yes(3, noon+2, noon+2), aged(Adult, noon+3)}, Withdrawn},
		{"a no that was a mistake is in the way of who said yes before", []Fact{by("father", no(2, noon, noon)), by("mother", yes(3, noon+1, noon+1)), fact(60, noon+2, voidOf(2).Event)}, AskAgain},
		{"nor does a fast clock make that yes one of afterwards", []Fact{by("father", no(2, noon, noon)), by("mother", yes(3, noon+10, noon+1)), fact(60, noon+2, voidOf(2).Event)}, AskAgain},
		{"the same when it was who said no that was a mistake", []Fact{by("father", no(2, noon, noon)), by("mother", yes(3, noon+10, noon+1)), fact(60, noon+2, voidOf(72).Event)}, Withdrawn},
		{"and in nobody's way afterwards", []Fact{by("father", no(2, noon, noon)), fact(60, noon+2, voidOf(2).Event), by("mother", yes(3, noon+ten, noon+ten))}, Given},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := fold(append(child[:len(child):len(child)], tt.given...)...).Standing("ads", later, ref()); got.Status != tt.want {
				t.Errorf("got %v because %v, want %v", got.Status, got.Because, tt.want)
			}
		})
	}
}

func TestAGuardianSpeaksUntil18(t *testing.T) {
	guarded := []Fact{aged(Aged15To17, t0), verified(71, "mother")}
	no := WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}, Guardian: "mother"}
	for _, tt := range []struct {
		name  string
		given []Fact
		who   GuardianRef
		code  refusal.Code
	}{
		{"a guardian", guarded, "mother", ""},
		{"somebody who was never verified", guarded, "aunt", refusal.UnknownGuardian},
		{"one who is a guardian no more", append(guarded[:2:2], fact(3, noon-2, GuardianEnded{"mother", "moved"})), "mother", refusal.UnknownGuardian},
		{"one whose verification was a mistake", append(guarded[:2:2], fact(3, noon-2, voidOf(71).Event)), "mother", refusal.UnknownGuardian},
		{"a guardian of who is 18", append(guarded[:2:2], aged(Adult, noon)), "mother", refusal.UnknownGuardian},
		{"a guardian on the day before", append(guarded[:2:2], aged(Adult, noon+1)), "mother", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := fold(tt.given...)
			no.Guardian = tt.who
			then, err := s.Decide(no, ref(), noon, noon)
			if refusal, _ := errors.AsType[refusal.Refusal](err); refusal.Code != tt.code {
				t.Errorf("a withdrawal: %v, %v", then, err)
			}
			if tt.code == "" && then[0].(ConsentWithdrawn).Guardian != tt.who {
				t.Errorf("the fact does not say who: %v", then)
			}
			for _, cmd := range []OpenRequest{{Types: []request.Type{request.Guardian}, Guardian: tt.who}, {Types: []request.Type{request.Access}, Guardian: tt.who}} {
				if refusal, _ := errors.AsType[refusal.Refusal](s.CheckAsks(cmd, noon)); refusal.Code != tt.code {
					t.Errorf("a request for %v: %v", cmd.Types, refusal)
				}
			}
		})
	}
	if fold(guarded...).CheckAsks(OpenRequest{Types: []request.Type{request.Guardian}}, noon) == nil {
		t.Error("a guardian's request by nobody in particular was taken")
	}
	if err := fold(guarded...).CheckAsks(OpenRequest{Types: []request.Type{request.Access}}, noon); err != nil {
		t.Errorf("one's own request: %v", err)
	}
}

func TestANoHoldsForThePurposesThatAreKnown(t *testing.T) {
	for _, tt := range []struct {
		name    string
		scope   []policy.PurposeID
		want    []policy.PurposeID
		unknown string
		code    refusal.Code
	}{
		{"all known", []policy.PurposeID{"ads", "net"}, []policy.PurposeID{"ads", "net"}, "", ""},
		{"one misspelt", []policy.PurposeID{"ads", "typo", "typo"}, []policy.PurposeID{"ads"}, "typo", ""},
		{"one that may be a phone", []policy.PurposeID{"13800138000", "ads"}, []policy.PurposeID{"ads"}, "[not shown]", ""},
		{"one that is no name", []policy.PurposeID{"Ada Lovelace", "ads"}, []policy.PurposeID{"ads"}, "[not shown]", ""},
		{"one said twice", []policy.PurposeID{"ads", "ads"}, []policy.PurposeID{"ads"}, "", ""},
		{"none known", []policy.PurposeID{"typo"}, nil, "", refusal.UnknownPurpose},
		{"none named", nil, nil, "", refusal.NothingNamed},
	} {
		for _, cmd := range []Command{WithdrawConsent{Scope: policy.Scope{Purposes: tt.scope}}, RefuseConsent{Scope: policy.Scope{Purposes: tt.scope}}} {
			then, err := Subject{}.Decide(cmd, ref(), noon, noon)
			if refusal, _ := errors.AsType[refusal.Refusal](err); refusal.Code != tt.code {
				t.Errorf("%s: %v", tt.name, err)
			}
			if tt.code != "" {
				continue
			}
			var scope policy.Scope
			var unknown string
			switch e := then[0].(type) {
			case ConsentWithdrawn:
				scope, unknown = e.Scope, e.Unknown
			case ConsentRefused:
				scope, unknown = e.Scope, e.Unknown
			}
			if !equal(scope.Purposes, tt.want) || unknown != tt.unknown {
				t.Errorf("%s: %v and %q", tt.name, scope, unknown)
			}
		}
	}
}

func TestANoThatNamesTooMuchIsTaken(t *testing.T) {
	many := []policy.PurposeID{"ads"}
	for i := range 10_000 {
		many = append(many, policy.PurposeID(fmt.Sprintf("typo-%d", i)))
	}
	then, err := Subject{}.Decide(WithdrawConsent{Scope: policy.Scope{Purposes: many}}, ref(), noon, noon)
	if err != nil || !equal(then[0].(ConsentWithdrawn).Scope.Purposes, many[:1]) || len(then[0].(ConsentWithdrawn).Unknown) > 50*65 {
		t.Errorf("%v, %v", then, err)
	}
	then, err = Subject{}.Decide(RefuseConsent{Scope: policy.Scope{All: true, Purposes: many}}, ref(), noon, noon)
	if err != nil || !then[0].(ConsentRefused).Scope.All || then[0].(ConsentRefused).Scope.Purposes != nil {
		t.Errorf("all, and some beside: %v, %v", then, err)
	}
}

func equal(a, b []policy.PurposeID) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestAMistakeOfEveryKindIsVoided(t *testing.T) {
	void := func(ids ...byte) Fact { return fact(60, later-10, voidOf(ids...).Event) }
	at := later
	allowed := func(s Subject) bool {
		return May(s, ref(), Question{Purpose: "ads", Action: policy.Use, At: at}).Allowed
	}
	hold := fact(40, noon, HoldPlaced{Reason: "court"})
	for _, tt := range []struct {
		name  string
		given []Fact
		want  bool
	}{
		{"a yes is gone", []Fact{yes(1, t0, t0), void(1)}, false},
		{"a guardian's verification: their yes is gone", []Fact{aged(ChildUnder14, t0), verified(71, "mother"), by("mother", yes(1, t0+1, t0+1)), void(71)}, false},
		{"verified again: the yes from between is none", []Fact{aged(ChildUnder14, t0), verified(71, "mother"), by("mother", yes(1, t0+1, t0+1)), void(71), fact(73, later-5, GuardianVerified{Guardian: "mother"})}, false},
		{"an age of 14: the child's own yes is none", []Fact{aged(ChildUnder14, t0), fact(41, noon, AgeRecorded{Band: Aged14}), yes(1, noon+1, noon+1), void(41)}, false},
		{"an age of 14: the guardian's yes that had lapsed stays so", []Fact{aged(ChildUnder14, t0), verified(71, "mother"), by("mother", yes(1, t0+1, t0+1)), fact(41, noon, AgeRecorded{Band: Aged14}), void(41)}, false},
		{"a child's age: a yes from before is asked for again", []Fact{yes(1, t0, t0), fact(41, noon, AgeRecorded{Band: ChildUnder14}), void(41)}, false},
		{"a child's age: a fast clock makes no yes one of after", []Fact{fact(41, noon, AgeRecorded{Band: ChildUnder14}), yes(1, later-5, noon+1), void(41)}, false},
		{"an age of 14: nor a guardian's one of after", []Fact{aged(ChildUnder14, t0), verified(71, "mother"), fact(41, noon, AgeRecorded{Band: Aged14}), by("mother", yes(1, later-5, noon+1)), void(41)}, false},
		{"a child's age: a yes from after counts", []Fact{fact(41, noon, AgeRecorded{Band: ChildUnder14}), void(41), yes(1, later-5, later-5)}, true},
		{"the end of a hold: it goes on", []Fact{yes(1, t0, t0), hold, fact(42, noon+1, HoldReleased{Reason: "over"}), void(42)}, false},
		{"the end of a restriction: it goes on", []Fact{yes(1, t0, t0), fact(40, noon, RestrictionApplied{Reason: "x"}), fact(42, noon+1, RestrictionLifted{Reason: "over"}), void(42)}, false},
		{"the other end of another hold", []Fact{yes(1, t0, t0), hold, fact(42, noon+1, HoldReleased{Reason: "over"}), void(1), yes(2, later-5, later-5)}, true},
		{"an exemption is gone", []Fact{fact(43, noon, ExemptionInvoked{List: ForCollection, Code: "c", Purposes: []policy.PurposeID{"ads"}, Until: later + 100}), void(43)}, false},
	} {
		if got := allowed(fold(tt.given...)); got != tt.want {
			t.Errorf("%s: allowed %v", tt.name, got)
		}
	}
	if s := fold(fact(44, noon, SubjectMarkedTest{Reason: "x"}), void(44)); s.IsTest() {
		t.Error("a test mark that was a mistake stays")
	}
	if s := fold(yes(1, t0, t0), fact(45, noon, RecordDisputed{Records: []ident.EventID{{1}}}), void(45)); s.Standing("ads", later, ref()).Disputed {
		t.Error("a dispute that was a mistake stays")
	}
	crossed := fold(yes(1, t0, t0), fact(46, noon, SubjectLinked{Other: "device"}), void(46))
	crossed = crossed.With(crossed.Links()[0], fold(no(2, noon, noon)))
	if got := crossed.Standing("ads", later, ref()); got.Status != AskAgain {
		t.Errorf("a no that had crossed a link that was a mistake: %v", got.Status)
	}
	reopened := fold(fact(46, noon, SubjectLinked{Other: "device"}), fact(47, noon+1, SubjectUnlinked{Other: "device"}), void(47))
	reopened = reopened.With(reopened.Links()[0], fold(no(2, noon+2, noon+2)))
	if got := reopened.Standing("ads", later, ref()); got.Status != Withdrawn {
		t.Errorf("a no crosses a link whose end was a mistake: %v", got.Status)
	}
}

func TestWhatCannotBeVoidedIsRefused(t *testing.T) {
	for _, e := range []Event{
		HoldPlaced{Reason: "x"}, RestrictionApplied{Reason: "x"}, GuardianEnded{"mother", "x"}, ExemptionEnded{}, ConsentUsed{}, RecordVoided{},
		RequestMade{}, MinorDataFound{}, PermissionDenied{},
	} {
		s := fold(yes(1, t0, t0), fact(2, noon, e))
		then, err := s.Decide(VoidRecords{Records: []ident.EventID{{2}}, Reason: "mistake", Evidence: content.Hash{9}, By: [2]string{"a", "b"}}, ref(), later, later)
		if no, _ := errors.AsType[refusal.Refusal](err); no.Code != refusal.NotVoidable || no.Text == "" {
			t.Errorf("%T: %v, %v", e, then, err)
		}
	}
	for name, cmd := range map[string]Command{
		"records without evidence": VoidRecords{Records: []ident.EventID{{1}}, Reason: "mistake", By: [2]string{"a", "b"}},
	} {
		if _, err := fold(yes(1, t0, t0)).Decide(cmd, ref(), later, later); err == nil {
			t.Errorf("%s were voided", name)
		}
	}
	bulk := BuildVoided{Build: "bad", From: t0, To: noon, Reason: "mistake", By: [2]string{"a", "b"}}
	if _, err := ref().Service.Decide(Say{bulk}, ref(), later, later); err == nil {
		t.Error("a build without evidence was voided")
	}
}

func TestTheEndOfADeviceDoesNotCross(t *testing.T) {
	linked := fact(80, noon, SubjectLinked{Other: "device", Proof: "login"})
	for _, e := range []Event{SubjectReassigned{Reason: "sold"}, SubjectClosed{Reason: "reset"}} {
		device := fold(no(3, t0, t0), fact(4, later, e))
		s := fold(linked, yes(1, noon+1, noon+1)).With(link.Link{Other: "device", From: noon}, device)
		if got := s.Standing("ads", later+1, ref()); got.Status != Given {
			t.Errorf("%T of the device: the account's yes is %v", e, got.Status)
		}
		s = fold(linked).With(link.Link{Other: "device", From: noon}, device)
		if got := s.Standing("ads", later+1, ref()); got.Status != Withdrawn || got.Because[0] != (ident.EventID{3}) {
			t.Errorf("%T of the device: what had crossed is %v", e, got.Status)
		}
	}
}

func TestABuildIsDisputedTogether(t *testing.T) {
	r := ref()
	f := yes(1, t0, t0)
	e := f.Event.(ConsentGiven)
	e.Build = "bad"
	f.Event = e
	r.Service = r.Service.Evolve(fact(90, later, BuildDisputed{Build: "bad", From: t0, To: noon, Reason: "ticked-before"}))
	if got := fold(f).Standing("ads", later, r); got.Status != Given || !got.Disputed {
		t.Errorf("a disputed build: %+v", got)
	}
	if got := fold(yes(2, t0, t0)).Standing("ads", later, r); got.Disputed {
		t.Error("another build is disputed")
	}
}
