package client

import (
	"context"
	"encoding/json"
	"fmt"

	"consentledger/api/nats/subject"

	"github.com/nats-io/nats.go"
)

// Hear lets what the ledger tells end what Allowed remembers: an opt-out that another
// process recorded is seen a moment after the ledger has it, and not when Config.Remember is
// over. It hears on a connection, which stays the caller's, until ctx ends; the ledger tells
// where serve has --tell-consents.
//
// While the connection is away nothing is remembered, since what is told then is missed.
// What is not told is seen when Config.Remember is over: that persons were linked, or that a
// connection died of which nobody has heard.
func (c *Client) Hear(ctx context.Context, conn *nats.Conn) error {
	status := conn.StatusChanged()
	defer conn.RemoveStatusListener(status)
	told := make(chan *nats.Msg, 4096)
	sub, err := conn.ChanSubscribe(subject.Of(c.config.App, "out.consent.>"), told)
	if err != nil {
		return fmt.Errorf("client: hearing what the ledger tells: %w", err)
	}
	defer sub.Unsubscribe()

	// What was answered before the server knew of the subscription may be older than what
	// was told by then.
	away := conn.FlushTimeout(c.config.Try) != nil
	c.said.forgetAll(away)
	defer c.said.forgetAll(false)
	for missed := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case s, open := <-status:
			if !open || s == nats.CLOSED {
				return fmt.Errorf("client: hearing what the ledger tells: %w", nats.ErrConnectionClosed)
			}
			c.said.forgetAll(s != nats.CONNECTED)
		case m := <-told:
			c.said.heard(m.Data)
		}
		if dropped, err := sub.Dropped(); err == nil && dropped > missed {
			missed = dropped
			c.said.forgetAll(false)
		}
	}
}

// heard forgets what was answered before something was told. An opt-out counts for every id
// that is linked with the one that said it, and which these are is not told: everybody is
// forgotten.
func (o *outbound) heard(event []byte) {
	var told struct {
		Type string
		Data struct{ Person string }
	}
	if json.Unmarshal(event, &told) != nil || told.Type != "consent.given" || told.Data.Person == "" {
		o.forgetAll(false)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forget(told.Data.Person)
}

// forgetAll forgets every answer. Away says that what the ledger tells is not heard for now.
func (o *outbound) forgetAll(away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = away
	o.remembered.Clear()
	for _, a := range o.asking {
		a.said = true
	}
}
