package intake

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"consentledger/api/wire"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"
)

// errPanicked says that the ledger panicked over a message: a mistake in the
// program. The message is kept, since nobody knows what became of it; what may be an
// opt-out raises an alarm.
var errPanicked = errors.New("intake: the ledger panicked over a message")

// unknownOutcome is why such a message is turned away.
var unknownOutcome = refusal.Refusal{Code: wire.Unavailable,
	Text: "the ledger has a mistake that this event shows: it is not known whether it was recorded. The same id is " +
		"never recorded twice"}

// execute records what was sent. One message of one app must not end the ledger for
// all others, nor end it again at every start because the stream still holds it.
func (c Config) execute(ctx context.Context, req ledger.Request) (r ledger.Receipt, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = c.survived(ctx, req, p)
		}
	}()
	return c.Ledger.Execute(ctx, req)
}

// survived logs a panic over a message, and returns what is said of it.
func (c Config) survived(ctx context.Context, req ledger.Request, p any) error {
	// The value may hold what was sent, and is not shown.
	c.Log.ErrorContext(ctx, "panic", "app", req.App, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	return errPanicked
}
