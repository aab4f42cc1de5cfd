package client

import (
	"consentledger/api/nats/subject"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.opentelemetry.io/otel"
)

// A NATSTransport reaches the ledger by requests over NATS.
type NATSTransport struct {
	// Key is the API key, shown in each message, so that records name who sent it; empty:
	// they say that somebody did who may. Where the ledger authenticates nobody it is not
	// looked at, but anybody who listens there sees it.
	Key string

	conn *nats.Conn
}

// NATS returns a transport over a connection, which stays the caller's. Open it with
// nats.IgnoreAuthErrorAbort where an authentication callout may be away for a while:
// without it the connection is closed for good by the second refusal.
//
// A subject that the connection's user may not use looks like a ledger that does not
// answer: NATS tells only the connection's error handler.
func NATS(conn *nats.Conn) *NATSTransport { return &NATSTransport{conn: conn} }

func (n *NATSTransport) send(ctx context.Context, app string, r request) (answer, error) {
	switch r.verb {
	case batchVerb:
		return answer{}, errNoBatch
	case recordVerb, checkVerb, promptVerb, pictureVerb:
	}
	to := string(r.verb)
	if r.verb == pictureVerb {
		to = "operate.picture" // whoever may publish sends it, and no app's back end
	}
	m := nats.NewMsg(subject.Of(app, to))
	m.Data = r.body
	if n.Key != "" {
		m.Header.Set("Authorization", "Bearer "+n.Key)
	}
	otel.GetTextMapPropagator().Inject(ctx, carrier(m.Header))

	reply, err := n.conn.RequestMsgWithContext(ctx, m)
	if errors.Is(err, nats.ErrMaxPayload) {
		return answer{}, fmt.Errorf("%w: it has %d bytes, and a message of this NATS server %d with its headers",
			errTooLarge, len(r.body), n.conn.MaxPayload())
	}
	if err != nil {
		return answer{}, fmt.Errorf("asking the ledger over NATS: %w", err)
	}
	status := 200
	if code := reply.Header.Get(micro.ErrorCodeHeader); code != "" {
		if status, err = strconv.Atoi(code); err != nil || status < 300 {
			return answer{}, fmt.Errorf("the answer is not the ledger's: its %s is no status", micro.ErrorCodeHeader)
		}
	}
	return answer{status: status, body: reply.Data}, nil
}

// A carrier writes trace headers in lower case, as other languages write and read them.
type carrier nats.Header

func (c carrier) Get(key string) string {
	if v := c[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (c carrier) Set(key, value string) { c[key] = []string{value} }

func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}
