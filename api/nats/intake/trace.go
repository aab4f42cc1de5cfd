package intake

import (
	"context"
	"errors"
	"time"

	"consentledger/api/nats/subject"
	"consentledger/api/wire/parse"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/tracing"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// The names of the spans of messages: the subject, without who the app is.
var (
	recordSpan = "process " + subject.Of("{app}", "record")
	inSpan     = "process " + subject.Of("{app}", subject.In+"{type}")
)

// A reading is a message on its way in, and its span.
type reading struct {
	ctx  context.Context // of the span
	span trace.Span
}

// began returns when a message begins to be read; zero if nothing is traced.
func (c Config) began() time.Time {
	if !c.Traces.On() {
		return time.Time{}
	}
	return time.Now()
}

// trace begins the span of a message that was read since a moment. Only once it is read
// is it known which trace it belongs to: a structured event says that inside.
func (c Config) trace(ctx context.Context, name string, kind trace.SpanKind,
	header nats.Header, req ledger.Request, began time.Time) reading {
	if !c.Traces.On() {
		return reading{ctx, trace.SpanFromContext(ctx)}
	}
	read := time.Now()
	sent, made := parse.Traceparents(header, req)
	ctx, span := c.Traces.Receive(ctx, name, kind, sent, made, began)
	span.SetAttributes(
		attribute.String("messaging.system", "nats"), attribute.String("messaging.operation.type", "process"))
	_, parse := c.Traces.Step(ctx, "parse", trace.WithTimestamp(began))
	parse.End(trace.WithTimestamp(read))
	return reading{ctx, span}
}

// end ends the span of a message, which fails by the code of a refusal.
func (r reading) end(err error) {
	if refusal, refused := errors.AsType[refusal.Refusal](err); refused {
		tracing.Fail(r.span, string(refusal.Code))
	} else if err != nil {
		tracing.Fail(r.span, "unavailable")
	}
	r.span.End()
}
