package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// A Transport reaches the ledger: [HTTP] or [NATS].
type Transport interface {
	// send sends a request once. An error means that no answer came, so that it is not
	// known whether the request arrived.
	send(ctx context.Context, app string, r request) (answer, error)
}

// A verb is what is asked of the ledger.
type verb string

const (
	recordVerb  verb = "record"
	batchVerb   verb = "batch" // not every transport has it
	checkVerb   verb = "check"
	promptVerb  verb = "prompt"
	pictureVerb verb = "picture"
)

type request struct {
	verb verb
	body []byte
}

type answer struct {
	status int // as HTTP has it
	after  time.Duration
	body   []byte
}

// What a transport does not take.
var (
	errNoBatch  = errors.New("client: this transport has no batches")
	errTooLarge = errors.New("client: too large for a message over NATS: send it over HTTP")
)

// A Refusal is the ledger's answer to what it will never take, or will not tell.
// Sending the same again brings the same answer.
type Refusal struct {
	Status int    `json:"status"` // as of HTTP, by NATS too
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"` // what is wrong and what would be right
	Path   string `json:"path"`   // the member that it is about
}

// Error holds nothing of what was sent.
func (r *Refusal) Error() string {
	if r.Path != "" {
		return fmt.Sprintf("the ledger refused it (%s, %s): %s", r.Code, r.Path, r.Detail)
	}
	return fmt.Sprintf("the ledger refused it (%s): %s", r.Code, r.Detail)
}

// Unknown says that an event may be recorded or not. Record it again with the same ID: it
// is never recorded twice.
type Unknown struct {
	ID    string
	Cause error
}

func (u *Unknown) Error() string {
	return fmt.Sprintf("it is not known whether event %s is recorded: %v", u.ID, u.Cause)
}

func (u *Unknown) Unwrap() error { return u.Cause }

// once sends r once, within Config.Try, and reads the answer into v.
func (c *Client) once(ctx context.Context, r request, v any) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Try)
	defer cancel()
	ctx, span := otel.Tracer("consentledger/api/client").Start(ctx, "consentledger "+string(r.verb),
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("consentledger.app", c.config.App)))
	defer span.End()

	a, err := c.config.Transport.send(ctx, c.config.App, r)
	if err == nil {
		err = a.read(v)
	}
	if err != nil && !errors.Is(err, errNoBatch) {
		span.SetStatus(codes.Error, err.Error()) // which holds nothing of what was sent
	}
	return err
}

// busy is the answer of a ledger that says when to ask again.
type busy struct {
	status int
	after  time.Duration
}

func (b *busy) Error() string {
	return fmt.Sprintf("the ledger cannot answer now (status %d)", b.status)
}

func (a answer) read(v any) error {
	switch {
	case a.status < 300:
		if err := json.Unmarshal(a.body, v); err != nil {
			return fmt.Errorf("the answer is not the ledger's: %w", err)
		}
		return nil
	case a.status >= 500 || a.status == 429 || a.status == 408:
		return &busy{status: a.status, after: a.after}
	}

	refusal := &Refusal{Status: a.status}
	if err := json.Unmarshal(a.body, refusal); err != nil || refusal.Code == "" {
		// A proxy on the way speaks so. What it refuses today it may let through tomorrow.
		return fmt.Errorf("status %d, and not the ledger's words: is something between us and the ledger?", a.status)
	}
	return refusal
}

// The pause between two tries doubles, up to a bound, and is random below that, so that
// many clients do not come back at the same moment.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 10 * time.Second
)

// persist sends r until it is answered for good or ctx ends; then it returns the last error.
func (c *Client) persist(ctx context.Context, r request, v any) error {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := c.once(ctx, r, v)
		if _, refused := errors.AsType[*Refusal](err); err == nil || refused || errors.Is(err, errNoBatch) ||
			errors.Is(err, errTooLarge) {
			return err
		}

		wait := rand.N(pause)
		if b, is := errors.AsType[*busy](err); is && b.after > 0 {
			wait += b.after
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}
