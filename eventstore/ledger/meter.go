package ledger

import (
	"context"
	"errors"
	"time"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/tracing"
	"consentledger/eventstore/vault"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// A Meter is told what a [Ledger] does, for whoever counts it. Its functions are
// called by many at once, and while a person's stream is locked: they return at once.
type Meter struct {
	Appended func(took time.Duration, o Outcome) // an append ended
	Folded   func(cached bool)                   // the fold of a stream was asked for
}

// An Outcome is what became of an append.
type Outcome int

const (
	Recorded  Outcome = iota // and durable
	Overtaken                // somebody else wrote first
	Failed                   // it may be there, or not
)

// Outcomes are all of them, in words.
var Outcomes = [...]string{"recorded", "overtaken", "failed"}

func (o Outcome) String() string { return Outcomes[o] }

func (m *Meter) folded(cached bool) {
	if m != nil {
		m.Folded(cached)
	}
}

// decided is the step of a request in which it is decided.
func (l *Ledger) decided(ctx context.Context, recorded deadline.Instant,
	decide func(deadline.Instant) ([]domain.Event, error)) ([]domain.Event, error) {
	_, span := l.traces.Step(ctx, "decide")
	defer span.End()
	events, err := decide(recorded)
	if refusal, refused := errors.AsType[refusal.Refusal](err); refused {
		tracing.Fail(span, string(refusal.Code))
	} else if err != nil {
		tracing.Fail(span, "broken")
	}
	return events, err
}

// write is the commit point of requests: their append, traced and measured. Followers of
// the log find the trace of each by the id of its first record.
func (l *Ledger) write(ctx context.Context, d vault.Draft, s eventstore.Stream, expected eventstore.Revision,
	all []*addition) (eventstore.Position, error) {
	var records []eventstore.Record
	for _, a := range all {
		records = append(records, a.records...)
	}
	if !l.traces.On() && l.meter == nil {
		return l.append(ctx, d, s, expected, records...)
	}

	spans := make([]trace.Span, len(all))
	for i, a := range all {
		step, span := l.traces.Step(a.ctx, "append",
			trace.WithAttributes(attribute.Int("consentledger.records", len(a.records))))
		defer span.End()
		l.traces.Wrote(step, a.records[0].ID)
		spans[i] = span
	}
	began := time.Now()
	at, err := l.append(ctx, d, s, expected, records...)

	outcome := Recorded
	if _, lost := errors.AsType[*eventstore.ConflictError](err); lost {
		outcome = Overtaken
	} else if err != nil {
		outcome = Failed
	}
	if l.meter != nil {
		l.meter.Appended(time.Since(began), outcome)
	}
	for i, a := range all {
		if err != nil {
			tracing.Fail(spans[i], outcome.String())
			continue
		}
		l.traces.Durable(a.records[0].ID)
	}
	return at, err
}
