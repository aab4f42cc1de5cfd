package parse

import "consentledger/eventstore/ledger"

// Traceparents returns in which trace a message was sent, and in which its event was
// made if that is another, as its sender wrote them, which may be no traces at all;
// empty: nothing says. The message's header comes first, in any case: it is of the
// last hop, and what the event says is of where it was made. Alone that is both.
//
// A header that has two values says nothing.
func Traceparents(header map[string][]string, req ledger.Request) (sent, made string) {
	sent, made = one(header, traceparent), req.Traceparent
	if sent == "" || sent == made {
		return made, ""
	}
	return sent, made
}
