package domain

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
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
	Version       content.Hash // whose promises bind: see [Reference.Promised]
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

// RepeatWindow is how long a request is remembered as an earlier one for the
// same: a fee may be asked for those that repeat it (VII(III): "beyond the
// reasonable limit", which the policy does not say).
const RepeatWindow = 90 * deadline.Day

// AskedBefore returns how many earlier requests of the person asked for one of the
// same things within [RepeatWindow].
func (s Subject) AskedBefore(types []request.Type, at deadline.Instant) int {
	n := 0
	for _, m := range s.requests {
		same := slices.ContainsFunc(m.Types, func(t request.Type) bool { return slices.Contains(types, t) })
		if same && m.at < at && at-m.at <= deadline.Instant(RepeatWindow) {
			n++
		}
	}
	return n
}

// OweAgain asks to record that a request is owed an answer again, since the
// one in which it went on has ended without one, or was found to be of another
// person. As long as neither is so, or if the request did not go on there, it is no news.
type OweAgain struct{ Original string }

func (OweAgain) isCommand() {}
