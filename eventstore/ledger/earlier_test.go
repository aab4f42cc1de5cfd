package ledger_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
	"consentledger/eventstore/ledger"
)

var endings = []string{"erased", "reassigned", "closed"}

// Whoever asks by an outside id whose history has ended is somebody new. Else they
// would be told what is known of whoever had the id before.
func TestARequestAfterTheEndIsOfSomebodyNew(t *testing.T) {
	for _, end := range endings {
		for _, kind := range []request.Type{request.Access, request.Withdraw} {
			c := newCircle(t)
			c.tell("ada agrees")
			before, _, err := c.l.Pseudonym(t.Context(), "demo", ada)
			if err != nil {
				t.Fatal(err)
			}
			asked := requestOf("asked before", domain.OpenRequest{Types: []request.Type{request.Access}, Channel: "app"})
			was := must(t, c.l, asked)
			c.w.now += 1000
			c.tell("ada " + end)
			c.w.now += 1000
			if end != "erased" { // of who was erased nobody knows that they asked
				if again := must(t, c.l, asked); again != was {
					t.Errorf("%s: what was answered before is answered by %v, not %v", end, again, was)
				}
			}

			ask := requestOf("asks", domain.OpenRequest{Types: []request.Type{kind}, Channel: "app"})
			first := must(t, c.l, ask)
			now, _, err := c.l.Pseudonym(t.Context(), "demo", ada)
			if err != nil {
				t.Fatal(err)
			}
			made, err := c.l.Case(t.Context(), first.Stream)
			if err != nil || made.Received.Subject != now || now == before {
				t.Errorf("%s, %v: the request is of %s, whoever has the id now is %s, and was %s: %v", end, kind, made.Received.Subject, now, before, err)
			}
			if again := must(t, c.l, ask); again != first {
				t.Errorf("%s, %v: sent again it is %v, first %v", end, kind, again, first)
			}
		}
	}
}

// A request from before the end is of whoever had the id then, also if somebody
// else has it by now.
func TestARequestFromBeforeTheEndIsOfNobodyWhoCameSince(t *testing.T) {
	for _, end := range endings {
		for _, comes := range []bool{false, true} {
			c := newCircle(t)
			c.tell("ada agrees")
			then := c.w.now
			c.w.now += 1000
			c.tell("ada " + end)
			if c.w.now += 1000; comes {
				c.tell("ada agrees")
			}
			for id, kind := range map[string]request.Type{"copy": request.Access, "no": request.Withdraw} {
				_, err := c.l.Execute(t.Context(), at(then, requestOf(id, domain.OpenRequest{Types: []request.Type{kind}, Channel: "app"})))
				if want := map[string]refusal.Code{"copy": refusal.EarlierPerson}[id]; code(err) != want || want == "" && err != nil {
					t.Errorf("%s, somebody came %v, %v: %v, want %q", end, comes, kind, err, want)
				}
			}
		}
	}
}

// Who is said to be a guardian is whoever had the id then.
func TestAGuardianFromBeforeTheEndIsNobodyWhoCameSince(t *testing.T) {
	ben := ident.PersonKey{Kind: "account", ID: "ben"}
	guardian := func(id string) ledger.Request {
		r := requestOf(id, domain.Say{Event: domain.GuardianVerified{Proof: domain.Proof{Document: content.Hash{5}, Method: "scan", CheckedBy: "desk"}}})
		r.Other = ben
		return r
	}
	for _, end := range endings {
		for _, comes := range []bool{false, true} {
			c := newCircle(t)
			c.tell("ben agrees")
			c.tell("ada agrees")
			then := c.w.now
			was := must(t, c.l, at(then, guardian("known")))
			before, _, err := c.l.Pseudonym(t.Context(), "demo", ben)
			if err != nil {
				t.Fatal(err)
			}
			c.w.now += 1000
			c.tell("ben " + end)
			if c.w.now += 1000; comes {
				c.tell("ben agrees")
			}
			if again := must(t, c.l, at(then, guardian("known"))); again != was {
				t.Errorf("%s: what was recorded before is answered by %v, not %v", end, again, was)
			}
			if _, err := c.l.Execute(t.Context(), at(then, guardian("late"))); code(err) != refusal.EarlierPerson {
				t.Errorf("%s, somebody came %v: %v", end, comes, err)
			}
			if name, found, err := c.l.Pseudonym(t.Context(), "demo", ben); found && (name == before || !comes) || err != nil {
				t.Errorf("%s, somebody came %v: the id leads to %s, %v", end, comes, name, err)
			}
			must(t, c.l, guardian("new"))
			if name, found, err := c.l.Pseudonym(t.Context(), "demo", ben); !found || name == before || err != nil {
				t.Errorf("%s: whoever is verified now is %s, was %s, %v", end, name, before, err)
			}
		}
	}
}
