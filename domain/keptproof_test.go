package domain_test

import (
	"errors"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
)

// Two orders of one person by two principals.
var two = [2]string{"ann", "bob"}

func dutyOf(more ...string) Noted {
	fields := map[string]string{"duty": "claims", "law": "GDPR 17(3)(e)", "reason": "claims", "keeps": "proof"}
	for i := 0; i < len(more); i += 2 {
		fields[more[i]] = more[i+1]
	}
	return noted("duty.declared", fields)
}

func day(t *testing.T, s string) deadline.Date {
	t.Helper()
	d, err := deadline.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// erasedBy returns the order that erases somebody who said something, under what is declared.
func erasedBy(t *testing.T, s Subject, at deadline.Instant, notes ...Noted) ErasureOrdered {
	t.Helper()
	ref := Reference{Service: keepingOf(notes...), By: ident.By{Actor: ident.Operator, Principal: "operator:ann"}}
	events, err := s.Decide(OrderErasure{Reason: "subject-request", By: two}, ref, at, at)
	if err != nil {
		t.Fatal(err)
	}
	return events[0].(ErasureOrdered)
}

func TestADutyThatKeepsProofKeepsNobodyFromBeingErased(t *testing.T) {
	spoke := Subject{}.Evolve(yes(1, t0, t0))
	closed := spoke.Evolve(fact(2, t0, SubjectClosed{Reason: "account-deleted"}))
	year := deadline.Instant(366 * 24 * 3600 * 1000)
	later := dutyOf("duty", "books", "law", "PIPL 56", "until", "2199-12-31")
	for _, tt := range []struct {
		says  string
		who   Subject
		at    deadline.Instant
		notes []Noted
		duty  string // empty: nothing is kept
	}{
		{"no duty", spoke, t0, nil, ""},
		{"a duty of months, from the order", spoke, t0, []Noted{dutyOf("months", "11")}, "claims"},
		{"a duty of months, from the end of the history: it runs", closed, t0, []Noted{dutyOf("months", "11")}, "claims"},
		{"a duty of months, from the end of the history: it ran", closed, t0 + year, []Noted{dutyOf("months", "11")}, ""},
		{"a duty until a day that is over", spoke, t0, []Noted{dutyOf("until", "2020-01-01")}, ""},
		{"of two the one that asks for longer", spoke, t0, []Noted{dutyOf("months", "11"), later}, "books"},
		{"a duty that was ended", spoke, t0, []Noted{dutyOf("months", "11"), noted("duty.ended", map[string]string{"duty": "claims", "reason": "over"})}, ""},
		{"a test is no person", spoke.Evolve(fact(3, t0, SubjectMarkedTest{Reason: "monkey"})), t0, []Noted{later}, ""},
		{"who said nothing has nothing to prove", Subject{}.Evolve(fact(1, t0, RequestMade{Request: "q"})), t0, []Noted{later}, ""},
	} {
		t.Run(tt.says, func(t *testing.T) {
			if got := erasedBy(t, tt.who, tt.at, tt.notes...).Proof.Duty; got != tt.duty {
				t.Errorf("kept for %q, want %q", got, tt.duty)
			}
		})
	}
	got := erasedBy(t, spoke, t0, later).Proof
	if want := (KeptProof{Duty: "books", Law: "PIPL 56", Reason: "claims", Until: day(t, "2199-12-31")}); got != want {
		t.Errorf("the order says %+v, want %+v", got, want)
	}

	// The same duty, of everything, does keep them.
	ref := Reference{Service: keepingOf(dutyOf("until", "2199-12-31", "keeps", "everything"))}
	ref.By = ident.By{Actor: ident.Operator, Principal: "operator:ann"}
	_, err := spoke.Decide(OrderErasure{Reason: "subject-request", By: two}, ref, t0, t0)
	if no, _ := errors.AsType[refusal.Refusal](err); no.Code != refusal.OnHold {
		t.Errorf("a duty of everything: %v", err)
	}
}

func TestWhatBecomesOfAProof(t *testing.T) {
	spoke := Subject{}.Evolve(yes(1, t0, t0))
	erased := spoke.Evolve(fact(2, t0, erasedBy(t, spoke, t0, dutyOf("until", "2030-01-31")))).
		Evolve(fact(3, t0, SubjectErased{Order: ident.EventID{2}}))
	zone, err := deadline.ParseZone("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	over := zone.End(day(t, "2030-01-31"))

	disclosed := erased.Evolve(fact(4, t0, ProofDisclosed{Reason: "claim", To: "court", By: two}))
	gone := erased.Evolve(fact(5, t0, DestructionOrdered{Reason: "subject-request", By: two})).
		Evolve(fact(6, t0+5, ProofDestroyed{Order: ident.EventID{5}}))
	whole := Subject{}.Evolve(yes(1, t0, t0)).Evolve(fact(2, t0, ErasureOrdered{Reason: "x", By: two}))
	hold := noted("hold.declared", map[string]string{"hold": "case", "reason": "evidence", "authority": "a court"})
	disclose := DiscloseProof{Reason: "claim", To: "court", By: two}
	destroy := DestroyProof{Reason: "subject-request", By: two}
	due := DestroyProof{Reason: ProofEnded, Due: true}
	for _, tt := range []struct {
		says  string
		s     Subject
		cmd   Command
		at    deadline.Instant
		notes []Noted
		want  refusal.Code // empty: it is decided
	}{
		{"two disclose it", erased, disclose, t0, nil, ""},
		{"and again", disclosed, disclose, t0, nil, ""},
		{"one does not", erased, DiscloseProof{Reason: "claim", To: "court", By: [2]string{"ann", "ann"}}, t0, nil, refusal.TwoPersons},
		{"not without a reason", erased, DiscloseProof{To: "court", By: two}, t0, nil, refusal.ReasonMissing},
		{"not to nobody", erased, DiscloseProof{Reason: "claim", By: two}, t0, nil, refusal.Incomplete},
		{"of who lives there is none", spoke, disclose, t0, nil, refusal.NoProof},
		{"of who is erased as a whole there is none", whole, disclose, t0, nil, refusal.NoProof},
		{"what is destroyed is not disclosed", gone, disclose, t0, nil, refusal.ProofDestroyed},
		{"two destroy it before its day", erased, destroy, t0, nil, ""},
		{"one does not destroy it", erased, DestroyProof{Reason: "x", By: [2]string{"ann", ""}}, t0, nil, refusal.TwoPersons},
		{"not twice", gone, destroy, t0, nil, refusal.ProofDestroyed},
		{"nobody destroys it on its last day", erased, due, over - 1, nil, refusal.TooEarly},
		{"it goes when that is over", erased, due, over, nil, ""},
		{"not while a hold was declared", erased, due, over, []Noted{hold}, refusal.OnHold},
		{"nor by two", erased, destroy, t0, []Noted{hold}, refusal.OnHold},
		{"a duty does not keep it", erased, due, over, []Noted{dutyOf("until", "2199-12-31", "keeps", "everything")}, ""},
	} {
		t.Run(tt.says, func(t *testing.T) {
			ref := Reference{Service: keepingOf(tt.notes...), By: ident.By{Actor: ident.Operator, Principal: "operator:ann"}}
			_, err := tt.s.Decide(tt.cmd, ref, tt.at, tt.at)
			if no, _ := errors.AsType[refusal.Refusal](err); no.Code != tt.want {
				t.Errorf("%v, want %q", err, tt.want)
			}
			ref.By = ident.By{App: true, Actor: "person"}
			if _, err := tt.s.Decide(tt.cmd, ref, tt.at, tt.at); err == nil {
				t.Error("an app decides it")
			}
		})
	}

	p, _ := disclosed.Proof()
	if _, err := p.Opens(ident.EventID{4}, t0+DisclosureLasts-1); err != nil {
		t.Errorf("on the seventh day: %v", err)
	}
	if _, err := p.Opens(ident.EventID{4}, t0+DisclosureLasts); err == nil {
		t.Error("it opens after seven days")
	}
	if _, err := p.Opens(ident.EventID{1}, t0); err == nil {
		t.Error("it opens by another record")
	}
	if before, _ := erased.Proof(); len(before.Disclosures) != 0 {
		t.Error("a fold that was kept has changed")
	}
	if p, is := gone.Proof(); !is || p.Destroyed != (ident.EventID{6}) || p.DestroyedAt != t0+5 || p.Erasure != (ident.EventID{2}) {
		t.Errorf("%+v", p)
	}
}
