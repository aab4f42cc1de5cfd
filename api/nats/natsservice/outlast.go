package natsservice

import (
	"context"
	"errors"
	"time"
)

// Grace is how long what was begun may take once the ledger stops, or a turn is over.
// While a part of the ledger is away it would take much longer: what was begun is then
// left as whoever kills the ledger leaves it. Its sender has no answer, and sends again.
const Grace = 10 * time.Second

var errGraceOver = errors.New("the ledger is stopping, and what was begun did not end in time")

// Outlast returns a context that is done that long after ctx is, or when cancel is called.
func Outlast(ctx context.Context) (long context.Context, cancel func()) {
	long, end := context.WithCancelCause(context.WithoutCancel(ctx))
	began := context.AfterFunc(ctx, func() {
		late := time.AfterFunc(Grace, func() { end(errGraceOver) })
		context.AfterFunc(long, func() { late.Stop() })
	})
	return long, func() { began(); end(nil) }
}
