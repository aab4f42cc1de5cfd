package intake

import (
	"context"
	"errors"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// unsettled are the server's words for a cluster that has no leader now, and for a stream
// or a consumer whose servers are all away.
var unsettled = []jetstream.ErrorCode{10008, 10009, 10118, 10119}

// unanswered are the client's words for a server that is away, or does not answer.
var unanswered = []error{
	context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected,
	nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded, nats.ErrNoServers, jetstream.ErrNoHeartbeat,
}

// passes reports whether what went wrong goes away by itself once all servers are there
// again. A request that is not permitted has no answer either, and stays so.
func passes(nc *nats.Conn, err error) bool {
	if nc.IsClosed() || errors.Is(nc.LastError(), nats.ErrPermissionViolation) {
		return false
	}
	if e, is := errors.AsType[*jetstream.APIError](err); is {
		return slices.Contains(unsettled, e.ErrorCode)
	}
	return slices.ContainsFunc(unanswered, func(one error) bool { return errors.Is(err, one) })
}

// insist does something again and again while what keeps it from being done passes. A
// process that starts while a node restarts waits for it, and says so.
func (c Config) insist(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil || ctx.Err() != nil || !passes(c.Conn, err) {
			c.Watch.set(Settings, nil)
			return err
		}

		c.Watch.set(Settings, err)
		c.Log.Warn("the streams of NATS cannot be opened yet, and it is tried again", "err", err)
		pause(ctx, LookEvery)
	}
}
