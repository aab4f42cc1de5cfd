package natsservice

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// How long one server may take to say that it knows what this process subscribed to, and
// how long it rests before it asks the next.
const (
	listensWait = 10 * time.Second
	listensRest = 100 * time.Millisecond
)

// Listens returns once a server knows what the connection subscribed to. If the server
// dies meanwhile the next one is asked, as soon as the connection has one: it is told of
// all subscriptions anew. An error says that the connection is closed, or ctx is done.
func Listens(ctx context.Context, nc *nats.Conn) error {
	for {
		one, cancel := context.WithTimeout(ctx, listensWait)
		err := nc.FlushWithContext(one)
		cancel()
		if err == nil || ctx.Err() != nil || nc.IsClosed() {
			return err
		}

		select {
		case <-time.After(listensRest):
		case <-ctx.Done():
		}
	}
}
