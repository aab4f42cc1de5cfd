package cases

import (
	"slices"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/domain/request"
)

// A Request is what a person asked for, and what became of it. The zero Request
// was not received.
type Request struct {
	Received domain.RequestReceived
	At       deadline.Instant
	Recorded deadline.Instant
	Marks    catalog.Marks
	Done     []request.Type // answered or rejected
	Outcome  catalog.Step   // the step that closed it; empty: open
	Duties   Duties

	rounds  int      // how often it was opened
	fee     string   // that was quoted
	answers []answer // of the round that it is in
	taken   []catalog.Taken
	closed  closing
}

// An answer is that a type of request had its answer, and when: by both times,
// since a later one is known only by both.
type answer struct {
	of           request.Type
	at, recorded deadline.Instant
}

// A closing is the step that ended a request without an answer.
type closing struct {
	at, recorded deadline.Instant
	of           string // the request in which it goes on; empty: in none
}

// Evolve returns r as it is after f.
func (r Request) Evolve(f domain.Fact) Request { return r.Fold(f, lists.Shared) }

// Fold is [Request.Evolve] for a caller who owns as much of r as it says.
func (r Request) Fold(f domain.Fact, own lists.Own) Request {
	if duties, ok := r.Duties.Fold(f, own); ok {
		r.Duties = duties
		return r
	}
	switch e := f.Event.(type) {
	case domain.RequestReceived:
		r.Received, r.At, r.Recorded, r.Marks, r.rounds = e, f.Earlier(), f.Recorded, marksOf(e), 1
	case domain.Stepped:
		return r.step(e, f, own)
	default:
		domain.MustBeIdle(e, ident.RequestNoun)
	}
	return r
}

// marksOf returns the marks that a request has when it comes in.
func marksOf(e domain.RequestReceived) catalog.Marks {
	m := catalog.Marks{catalog.Open}
	if e.Authenticated {
		m = append(m, catalog.IdentityKnown)
	}
	if slices.Contains(e.Types, request.Complaint) {
		m = append(m, catalog.Complaint)
	}
	return m
}

func (r Request) step(e domain.Stepped, f domain.Fact, own lists.Own) Request {
	rule, _ := catalog.StepRuleOf(e.Kind)
	before := r.taken
	r.taken = lists.Add(own, r.taken, catalog.Taken{Step: e.Kind, At: f.Earlier()})
	if e.Late() {
		r.Marks = catalog.AfterLate(r.Marks, rule, f.Earlier(), before)
		return r
	}

	r.Marks = r.Marks.After(rule)
	switch {
	case rule.Closes:
		for _, t := range request.NamedIn(e.Fields, r.left()) {
			r.answers = lists.Add(own, r.answers, answer{t, f.Earlier(), f.Recorded})
		}
		r.Done = slices.Concat(r.Done, request.NamedIn(e.Fields, r.left()))
		if len(r.left()) == 0 {
			r.Marks, r.Outcome = r.Marks.After(catalog.StepRule{Clears: []catalog.Mark{catalog.Open}}), e.Kind
		}
	case rule.Voids:
		r.Outcome, r.closed = e.Kind, closing{f.Earlier(), f.Recorded, e.Field("of")}
	case e.Kind == "fee.quoted":
		r.fee = e.Field("amount")
	case e.Kind == catalog.Reopened:
		again := request.NamedIn(e.Fields, r.Received.Types)
		had := func(t request.Type) bool { return slices.Contains(again, t) }
		r.Done = lists.Without(r.Received.Types, had)
		r.answers = slices.DeleteFunc(slices.Clone(r.answers), func(a answer) bool { return had(a.of) })
		r.Outcome, r.closed = "", closing{}
		r.rounds++
	}
	return r
}

// left returns the types that have no answer yet.
func (r Request) left() []request.Type {
	return slices.DeleteFunc(slices.Clone(r.Received.Types),
		func(t request.Type) bool { return slices.Contains(r.Done, t) })
}

// Decide answers cmd with the facts that it makes true. At is when it
// happened, as its source says; recorded is the ledger's time. What runs
// against the handler counts from the earlier of the two, what speaks for the
// handler from the later.
func (r Request) Decide(cmd domain.Command, ref Reference, at, recorded deadline.Instant) ([]domain.Event, error) {
	switch cmd := cmd.(type) {
	case domain.OpenRequest:
		return r.receive(cmd, ref, min(at, recorded), recorded)
	case domain.TakeStep:
		return r.take(cmd, ref, at, recorded)
	case domain.OweAgain:
		return r.oweAgain(cmd, ref)
	}
	return r.Duties.Decide(cmd, ref.Reference, at, recorded)
}
