package ledger_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
	"consentledger/eventstore/ledger"
)

// at returns a request that says when it happened.
func at(when deadline.Instant, r ledger.Request) ledger.Request {
	r.At = when
	return r
}

func TestANoIsNeverRefusedForItsTime(t *testing.T) {
	old := start.Add(1000) // before the end of who had the id then
	for _, end := range []domain.Event{domain.SubjectReassigned{Reason: "recycled"}, domain.SubjectClosed{Reason: "deleted"}} {
		for _, tt := range []struct {
			name string
			tell []ledger.Request // after the end
			want domain.Status
		}{
			{"a withdrawal by a slow clock takes back the next person's yes", []ledger.Request{requestOf("y", yes), at(old, requestOf("n", no))}, domain.Withdrawn},
			{"so does a refusal", []ledger.Request{requestOf("y", yes), at(old, requestOf("n", domain.RefuseConsent{Scope: policy.Scope{All: true}}))}, domain.Refused},
			{"and a request that withdraws", []ledger.Request{requestOf("y", yes), at(old, requestOf("n", domain.OpenRequest{Types: []request.Type{request.Withdraw}, Channel: "app"}))}, domain.Withdrawn},
			{"one that comes first stands in the way of a yes that is older", []ledger.Request{at(old, requestOf("n", no)), at(start.Add(5000), requestOf("y", yes))}, domain.AskAgain},
			{"after it a yes counts that is later in both times", []ledger.Request{at(old, requestOf("n", no)), requestOf("y", yes)}, domain.Given},
		} {
			t.Run(tt.name, func(t *testing.T) {
				w := newWorld()
				l := w.open(t)
				begin(t, l)
				w.now = start.Add(2000)
				must(t, l, requestOf("first", yes))
				w.now = start.Add(3000)
				must(t, l, requestOf("end", domain.Say{Event: end}))
				for _, r := range tt.tell {
					w.now += 10_000
					first := must(t, l, r)
					if again := must(t, l, r); again != first {
						t.Errorf("%s again: %v, %v", r.ID, first, again)
					}
				}
				for name, l := range map[string]*ledger.Ledger{"at once": l, "after a restart": w.open(t)} {
					if got := status(t, l, w); got != tt.want {
						t.Errorf("%s: %v, want %v", name, got, tt.want)
					}
				}
			})
		}
	}
}

func TestANoFromBeforeKeepsItsClaim(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	must(t, l, requestOf("first", yes))
	w.now += 1000
	must(t, l, requestOf("end", domain.Say{Event: domain.SubjectClosed{Reason: "deleted"}}))
	w.now += 1000
	must(t, l, requestOf("y", yes))
	w.now += 1000
	must(t, l, at(start, requestOf("n", no)))
	for e, err := range l.History(t.Context(), "demo", ada) {
		if err != nil {
			t.Fatal(err)
		}
		if _, is := e.Event.(domain.ConsentWithdrawn); is && (e.At != e.Recorded || e.Claimed != start) {
			t.Errorf("at %v, recorded %v, claimed %v", e.At, e.Recorded, e.Claimed)
		}
	}
	if _, err := l.Execute(t.Context(), at(start, requestOf("late", yes))); code(err) != refusal.EarlierPerson {
		t.Errorf("an earlier person's yes: %v", err)
	}
	if _, err := l.Execute(t.Context(), at(start, requestOf("end again", domain.Say{Event: domain.SubjectClosed{Reason: "deleted"}}))); code(err) != refusal.EarlierPerson {
		t.Errorf("the end of an earlier person's account: %v", err)
	}
}

func TestNobodyIsRememberedForAMistake(t *testing.T) {
	ben := ident.PersonKey{Kind: "account", ID: "ben"}
	proof := domain.Proof{Document: content.Hash{5}, Method: "scan", CheckedBy: "desk"}
	for _, tt := range []struct {
		name  string
		known bool // ada is
		cmd   domain.Command
		code  refusal.Code
	}{
		{"a guardian without a document", false, domain.Say{Event: domain.GuardianVerified{}}, refusal.Incomplete},
		{"a guardian without a document, of somebody known", true, domain.Say{Event: domain.GuardianVerified{}}, refusal.Incomplete},
		{"a yes by nobody's guardian", true, domain.GiveConsent{Act: "agree", Proof: proof}, refusal.UnknownGuardian},
		{"a no by nobody's guardian", true, no, refusal.UnknownGuardian},
		{"a request by nobody's guardian", true, domain.OpenRequest{Types: []request.Type{request.Guardian}, Channel: "app"}, refusal.UnknownGuardian},
		{"a request by nobody's guardian, of somebody new", false, domain.OpenRequest{Types: []request.Type{request.Access}, Channel: "app"}, refusal.UnknownGuardian},
		{"the end of nobody's part", true, domain.Say{Event: domain.GuardianEnded{Reason: "moved"}}, refusal.UnknownGuardian},
		{"a link without proof", false, domain.Say{Event: domain.SubjectLinked{}}, refusal.Incomplete},
		{"a link without proof, of somebody known", true, domain.Say{Event: domain.SubjectLinked{}}, refusal.Incomplete},
		{"the end of a link that is none", true, domain.Say{Event: domain.SubjectUnlinked{Reason: "logout"}}, refusal.UnknownLink},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			l := w.open(t)
			begin(t, l)
			if tt.known {
				must(t, l, requestOf("known", yes))
			}
			r := requestOf("wrong", tt.cmd)
			r.Other = ben
			if _, err := l.Execute(t.Context(), r); code(err) != tt.code {
				t.Errorf("got %v", err)
			}
			for who, want := range map[ident.PersonKey]bool{ada: tt.known, ben: false} {
				if _, known, err := l.Pseudonym(t.Context(), "demo", who); known != want || err != nil {
					t.Errorf("%s is known: %v, %v", who.ID, known, err)
				}
			}
		})
	}
}

func TestAGuardiansRequestSaysWho(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	tell := func(id string, cmd domain.Command) ledger.Receipt {
		w.now += 1000
		r := requestOf(id, cmd)
		r.Other = ident.PersonKey{Kind: "account", ID: "ben"}
		return must(t, l, r)
	}
	tell("g", domain.Say{Event: domain.GuardianVerified{Proof: domain.Proof{Document: content.Hash{5}, Method: "scan", CheckedBy: "desk"}}})
	must(t, l, requestOf("y", yes))
	receipt := tell("r", domain.OpenRequest{Types: []request.Type{request.Guardian, request.Withdraw}, Channel: "app", Purposes: []policy.PurposeID{"ads", "typo"}})
	asked, err := l.Case(t.Context(), receipt.Stream)
	if err != nil || asked.Received.Guardian == "" {
		t.Errorf("%+v, %v", asked.Received, err)
	}
	if got := status(t, l, w); got != domain.Withdrawn {
		t.Errorf("the withdrawal that came with it: %v", got)
	}
	if again := tell("r", domain.OpenRequest{Types: []request.Type{request.Guardian, request.Withdraw}, Channel: "app", Purposes: []policy.PurposeID{"ads", "typo"}}); again != receipt {
		t.Errorf("%v, then %v", receipt, again)
	}
	if r := must(t, l, requestOf("typo", domain.WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads", "typo"}}})); r.Unknown != "typo" {
		t.Errorf("the receipt of a no with a purpose nobody knows: %+v", r)
	}
	if r := must(t, w.open(t), requestOf("typo", domain.WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads", "typo"}}})); r.Unknown != "typo" {
		t.Errorf("and after a restart: %+v", r)
	}
}
