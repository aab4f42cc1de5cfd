package wire

import (
	"strings"

	"consentledger/eventstore/ledger"
)

// Traceparent returns in which trace a message was sent, as its sender wrote it,
// which may be no trace at all; empty: nothing says. The header of the message
// comes first, in any case: it is of the last hop, and the attribute of the event,
// which is in a header too in binary mode, is of where the event was made.
//
// A header that has two values says nothing.
func Traceparent(header map[string][]string, req ledger.Request) string {
	event := req.Traceparent
	for name, values := range header {
		if len(values) != 1 {
			continue
		}
		switch {
		case strings.EqualFold(name, traceparent):
			return values[0]
		case strings.EqualFold(name, "ce-"+traceparent):
			event = values[0]
		}
	}
	return event
}
