package domain_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form/formtest"
	"consentledger/domain/policy"
	"consentledger/domain/proposal"
	"consentledger/domain/refusal"
)

func TestStatesOfProposalsHaveOneText(t *testing.T) {
	formtest.Pairs(t, proposal.ParseState, "", "open", "approved", "done", "declined", "withdrawn", "lapsed", "expired")
}

// A proposing is a step of a proposal that somebody takes at a moment.
type proposing struct {
	by   string
	note string // as in the table of notes
	at   deadline.Instant
}

// proposed is an app with two proposals of p-first: a1 is open, a9 is approved.
func proposed(t *testing.T) Service {
	t.Helper()
	s := Service{App: App{Name: "shop"}}
	for _, id := range []string{"a1", "a9"} {
		s = tell(t, s, proposing{"p-first", "proposal.made proposal=" + id + ";command=record.voided;digest=0f3a;basis=7c11;until=LATER;by=p-first;reason=never_agreed", t0})
	}
	return tell(t, s, proposing{"p-second", "proposal.approved proposal=a9;by=p-second", t0})
}

// tell folds a step that is possible.
func tell(t *testing.T, s Service, x proposing) Service {
	t.Helper()
	events, err := s.Decide(Say{noteOf(x.note, "")}, Reference{By: ident.By{Actor: ident.Operator, Principal: x.by}}, x.at, x.at)
	if err != nil {
		t.Fatalf("%s: %v", x.note, err)
	}
	return s.Evolve(Fact{ID: ident.EventID{byte(len(s.Proposals()) + 1)}, At: x.at, Recorded: x.at, Event: events[0]})
}

// Who may decide on a proposal, and when: one step, taken by somebody at a moment, after
// what was told before.
func TestAProposalIsDecidedOnByAnotherPrincipalAndOnce(t *testing.T) {
	soon, late := t0.Add(60_000), t0.Add(3_600_000)
	for _, tt := range []struct {
		name   string
		before []proposing
		step   proposing
		want   refusal.Code // empty: it is taken
	}{
		{"another one approves", nil, proposing{"p-second", "proposal.approved proposal=a1;by=p-second", soon}, ""},
		{"another one declines", nil, proposing{"p-second", "proposal.declined proposal=a1;by=p-second;reason=no_proof", soon}, ""},
		{"who made it takes it back", nil, proposing{"p-first", "proposal.withdrawn proposal=a1;by=p-first", soon}, ""},
		{"who made it approves it", nil, proposing{"p-first", "proposal.approved proposal=a1;by=p-first", soon}, refusal.SamePrincipal},
		{"who made it declines it", nil, proposing{"p-first", "proposal.declined proposal=a1;by=p-first;reason=no", soon}, refusal.SamePrincipal},
		{"another one takes it back", nil, proposing{"p-second", "proposal.withdrawn proposal=a1;by=p-second", soon}, refusal.NotTheProposer},
		{"somebody approves under another name", nil, proposing{"p-first", "proposal.approved proposal=a1;by=p-second", soon}, refusal.TwoPersons},
		{"nobody who is known approves", nil, proposing{ident.Unauthenticated, "proposal.approved proposal=a1;by=unauthenticated", soon}, refusal.TwoPersons},
		{"nobody who is known proposes", nil, proposing{ident.Unauthenticated, "proposal.made proposal=c3;command=x;digest=0;basis=0;until=LATER;by=unauthenticated;reason=x", t0}, refusal.TwoPersons},
		{"nobody made it", nil, proposing{"p-second", "proposal.approved proposal=nosuch;by=p-second", soon}, refusal.UnknownProposal},
		{"it has expired", nil, proposing{"p-second", "proposal.approved proposal=a1;by=p-second", late}, refusal.ProposalExpired},
		{"it has expired, to be declined", nil, proposing{"p-second", "proposal.declined proposal=a1;by=p-second;reason=no", late}, refusal.ProposalExpired},
		{"it was approved", []proposing{{"p-second", "proposal.approved proposal=a1;by=p-second", soon}},
			proposing{"p-third", "proposal.approved proposal=a1;by=p-third", soon}, refusal.AlreadyDecided},
		{"it was declined", []proposing{{"p-second", "proposal.declined proposal=a1;by=p-second;reason=no", soon}},
			proposing{"p-third", "proposal.approved proposal=a1;by=p-third", soon}, refusal.AlreadyDecided},
		{"it was taken back", []proposing{{"p-first", "proposal.withdrawn proposal=a1;by=p-first", soon}},
			proposing{"p-second", "proposal.approved proposal=a1;by=p-second", soon}, refusal.AlreadyDecided},
		{"it was approved, to be taken back", []proposing{{"p-second", "proposal.approved proposal=a1;by=p-second", soon}},
			proposing{"p-first", "proposal.withdrawn proposal=a1;by=p-first", soon}, refusal.AlreadyDecided},
		{"it has lapsed", []proposing{{ident.Ledger, "proposal.lapsed proposal=a1;why=unknown-record", soon}},
			proposing{"p-second", "proposal.approved proposal=a1;by=p-second", soon}, refusal.AlreadyDecided},
		{"the ledger says that it is done before somebody approved", nil,
			proposing{ident.Ledger, "proposal.done proposal=a1;record=01234567-89ab-cdef-0123-456789abcdef", soon}, refusal.AlreadyDecided},
		{"the ledger says that what was approved is done, long after", nil,
			proposing{ident.Ledger, "proposal.done proposal=a9;record=01234567-89ab-cdef-0123-456789abcdef", late}, ""},
		{"somebody says that it is done", nil, proposing{"p-second", "proposal.done proposal=a9;record=01234567-89ab-cdef-0123-456789abcdef", soon}, refusal.NotForApps},
		{"it is made again", nil, proposing{"p-first", "proposal.made proposal=a1;command=x;digest=0;basis=0;until=LATER;by=p-first;reason=x", t0}, refusal.IDReused},
		{"it is to stay for ever", nil, proposing{"p-first", "proposal.made proposal=c3;command=x;digest=0;basis=0;until=2100-01-01T00:00:00Z;by=p-first;reason=x", t0}, refusal.Malformed},
		{"it is made when it has expired", nil, proposing{"p-first", "proposal.made proposal=c3;command=x;digest=0;basis=0;until=LATER;by=p-first;reason=x", late}, refusal.Malformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := proposed(t)
			for _, x := range tt.before {
				s = tell(t, s, x)
			}
			_, err := s.Decide(Say{noteOf(tt.step.note, "")}, Reference{By: ident.By{Actor: ident.Operator, Principal: tt.step.by}}, tt.step.at, tt.step.at)
			if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	n := noteOf("proposal.approved proposal=a1;by=p-second", "")
	if _, err := proposed(t).Decide(Say{n}, Reference{By: ident.By{Principal: "p-second", App: true}}, soon, soon); err == nil {
		t.Error("an app approves")
	}
}

// What a proposal is after each step, and when nobody takes one.
func TestAProposalSaysWhatBecameOfIt(t *testing.T) {
	s := proposed(t)
	p, _ := s.Proposals().Find("a1")
	if p.State(t0) != proposal.Proposed || p.State(p.Until-1) != proposal.Proposed || p.State(p.Until) != proposal.ExpiredUnseen || p.By != "p-first" || p.Reason != "never agreed" {
		t.Errorf("open: %+v", p)
	}
	s = tell(t, s, proposing{ident.Ledger, "proposal.lapsed proposal=a1;why=unknown-record", t0})
	s = tell(t, s, proposing{ident.Ledger, "proposal.done proposal=a9;record=01234567-89ab-cdef-0123-456789abcdef", t0})
	if p, _ := s.Proposals().Find("a1"); p.State(p.Until) != proposal.Lapsed || p.Answer != "unknown-record" {
		t.Errorf("lapsed: %+v", p)
	}
	if p, _ := s.Proposals().Find("a9"); p.State(p.Until) != proposal.CarriedOut || p.DecidedBy != "p-second" || p.Record == "" {
		t.Errorf("done: %+v", p)
	}
}

// Many proposals do not fill the memory: what is decided makes way, what is open does not.
func TestOldProposalsMakeWayAndOpenOnesDoNot(t *testing.T) {
	s := proposed(t)
	made := func(id int) Noted {
		return noteOf(fmt.Sprintf("proposal.made proposal=n%d;command=x;digest=0;basis=0;until=LATER;by=p-first;reason=x", id), "")
	}
	s = tell(t, s, proposing{"p-second", "proposal.declined proposal=a1;by=p-second;reason=no", t0})
	for i := range 999 {
		s = s.Evolve(Fact{Recorded: t0, Event: made(i)})
	}
	if _, known := s.Proposals().Find("a1"); known || len(s.Proposals()) != 1000 {
		t.Errorf("a proposal that was declined is kept beside %d", len(s.Proposals()))
	}
	_, err := s.Decide(Say{made(1000)}, Reference{By: ident.By{Principal: "p-first"}}, t0, t0)
	if got, _ := errors.AsType[refusal.Refusal](err); got.Code != refusal.TooLarge {
		t.Errorf("a thousand wait, and one more is taken: %v", err)
	}
	after := t0.Add(3_600_000)
	if _, err = s.Decide(Say{noteOf("proposal.made proposal=z;command=x;digest=0;basis=0;until="+after.Add(3_600_000).String()+";by=p-first;reason=x", "")},
		Reference{By: ident.By{Principal: "p-first"}}, after, after); err != nil {
		t.Errorf("all have expired, and there is no room: %v", err)
	}
	if strings.Contains(policy.FieldOf(made(1).Fields, "reason"), "_") {
		t.Error("the table is not read as it says")
	}
}
