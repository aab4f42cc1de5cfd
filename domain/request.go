package domain

import (
	"slices"

	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

// requestEvents are the rows of what persons ask for.
var requestEvents = []EventRule{
	{Name: "request.received", Event: RequestReceived{}, Nouns: in(ident.RequestNoun), By: ByApp, Views: InRequests | InReport | InFollowUps,
		purposes: names(func(e RequestReceived) []policy.PurposeID { return e.Purposes })},
	{Name: "subject.requested", Event: RequestMade{}, Nouns: in(ident.SubjectNoun), By: ByLedger, lasts: lastsAsRequest,
		check: must(func(RequestMade) error { return nil })},
}

// OpenRequest asks to take in a request. One message may ask for several
// things: every type opens its clocks.
type OpenRequest struct {
	Types         []request.Type
	Policy        string
	Channel       policy.ChannelID // of the policy's, or "app"
	Authenticated bool             // whoever asks was logged in: their identity is known
	Purposes      []policy.PurposeID
	Text          Personal      // the person's words
	Document      content.Hash  // a letter, a form
	Cause         ident.EventID // the withdrawal that came with it; the ledger fills it in
	Subject       string        // the person's pseudonym; the ledger fills it in
	Guardian      GuardianRef   // who asks for the person; empty: the person, or somebody who is no guardian
}

func (OpenRequest) isCommand() {}

// RequestReceived records a request.
type RequestReceived struct {
	Types         []request.Type
	Policy        string
	Version       content.Hash // whose promises bind: see [Policies.Promised]
	Channel       policy.ChannelID
	Authenticated bool
	Purposes      []policy.PurposeID
	Subject       string // the pseudonym of who asks; empty: nobody that we know
	Text          Personal
	Document      content.Hash
	Cause         ident.EventID // the withdrawal that came with it; zero: none
	Unpromised    []request.Type
	Guardian      GuardianRef // who asks for the person
}

func (RequestReceived) isEvent() {}

// RequestMade records in a person's own history that they asked for something,
// and which stream tells of it.
type RequestMade struct {
	Request string // the id of its stream
	Types   []request.Type
}

func (RequestMade) isEvent() {}

// made is a RequestMade and when it counts from.
type made struct {
	RequestMade
	at deadline.Instant
}

// Requests returns the ids of the streams of the person's requests, in the
// order in which the ledger took them.
func (s Subject) Requests() []string {
	var ids []string
	for _, m := range s.requests {
		ids = append(ids, m.Request)
	}
	return ids
}

// repeatWindow is how long a request is remembered as an earlier one for the
// same: a fee may be asked for those that repeat it (VII(III): "beyond the
// reasonable limit", which the policy does not say).
const repeatWindow = 90 * deadline.Day

// repeats returns how many earlier requests of the person asked for one of the
// same things within [repeatWindow].
func (s Subject) repeats(types []request.Type, at deadline.Instant) int {
	n := 0
	for _, m := range s.requests {
		same := slices.ContainsFunc(m.Types, func(t request.Type) bool { return slices.Contains(types, t) })
		if same && m.at < at && at-m.at <= deadline.Instant(repeatWindow) {
			n++
		}
	}
	return n
}

// A Request is what a person asked for, and what became of it. The zero Request
// was not received.
type Request struct {
	Received RequestReceived
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
func (r Request) Evolve(f Fact) Request { return r.Fold(f, lists.Shared) }

// Fold is [Request.Evolve] for a caller who owns as much of r as it says.
func (r Request) Fold(f Fact, own lists.Own) Request {
	if duties, ok := r.Duties.Fold(f, own); ok {
		r.Duties = duties
		return r
	}
	switch e := f.Event.(type) {
	case RequestReceived:
		r.Received, r.At, r.Recorded, r.Marks, r.rounds = e, f.earlier(), f.Recorded, e.marks(), 1
	case Stepped:
		return r.step(e, f, own)
	default:
		mustBeIdle(e, ident.RequestNoun)
	}
	return r
}

func (e RequestReceived) marks() catalog.Marks {
	m := catalog.Marks{catalog.Open}
	if e.Authenticated {
		m = append(m, catalog.IdentityKnown)
	}
	if slices.Contains(e.Types, request.Complaint) {
		m = append(m, catalog.Complaint)
	}
	return m
}

func (r Request) step(e Stepped, f Fact, own lists.Own) Request {
	rule, _ := catalog.StepRuleOf(e.Kind)
	before := r.taken
	r.taken = lists.Add(own, r.taken, catalog.Taken{Step: e.Kind, At: f.earlier()})
	if e.Late() {
		r.Marks = catalog.AfterLate(r.Marks, rule, f.earlier(), before)
		return r
	}

	r.Marks = r.Marks.After(rule)
	switch {
	case rule.Closes:
		for _, t := range request.NamedIn(e.Fields, r.left()) {
			r.answers = lists.Add(own, r.answers, answer{t, f.earlier(), f.Recorded})
		}
		r.Done = slices.Concat(r.Done, request.NamedIn(e.Fields, r.left()))
		if len(r.left()) == 0 {
			r.Marks, r.Outcome = r.Marks.After(catalog.StepRule{Clears: []catalog.Mark{catalog.Open}}), e.Kind
		}
	case rule.Voids:
		r.Outcome, r.closed = e.Kind, closing{f.earlier(), f.Recorded, e.Field("of")}
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
func (r Request) Decide(cmd Command, ref Reference, at, recorded deadline.Instant) ([]Event, error) {
	switch cmd := cmd.(type) {
	case OpenRequest:
		return r.receive(cmd, ref, min(at, recorded), recorded)
	case TakeStep:
		return r.take(cmd, ref, at, recorded)
	case OweAgain:
		return r.oweAgain(cmd, ref)
	}
	return r.Duties.Decide(cmd, ref, at, recorded)
}
