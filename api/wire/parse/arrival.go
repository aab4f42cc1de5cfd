package parse

import (
	"context"

	"consentledger/domain/deadline"
	"consentledger/eventstore/ledger"
)

// arrival is the key of when an event came.
type arrival struct{}

// WithArrival returns a context for an event that came earlier than it is handed on:
// that was kept, say, and is sent again.
func WithArrival(ctx context.Context, came deadline.Instant) context.Context {
	return context.WithValue(ctx, arrival{}, came)
}

// Arrived returns a request that says no time as of when its event came, as far as the
// context says; see [WithArrival].
func Arrived(ctx context.Context, req ledger.Request, now deadline.Instant) ledger.Request {
	if came, says := ctx.Value(arrival{}).(deadline.Instant); says {
		return CameAt(req, came, now)
	}
	return req
}

// CameAt returns a request that says no time as of when its event came. What waited in
// a stream, or among the rejected messages, was said no later than that, and not when
// it is recorded: no consent that waited comes back after a withdrawal that did not.
// Whoever says when it came may have another clock, which is not ahead of the ledger's.
func CameAt(req ledger.Request, came, now deadline.Instant) ledger.Request {
	if req.At == 0 && came > 0 {
		req.At = min(came, now)
	}
	return req
}
