// Package tracing carries traces through the ledger, and across its log.
//
// It stands beside the store's contract since everything above has to do with it:
// what appends, what follows the log, and what answers. It knows OpenTelemetry's API
// alone: how traces leave the process is decided in cmd, and a nil [*Traces] traces
// nothing at no cost.
//
// A record has no trace in it. What is on disk is for ever and is the same whoever
// sent it, and a trace's id is somebody else's. So a trace crosses the log in memory:
// [Traces.Wrote] notes the record before it is appended, the feed finds it when it hears
// of the record ([Traces.Heard]), and who follows the log finds it by the record's id
// ([Traces.Of]). The newest are kept, so many as [Kept] says; what is read later, after
// a restart, or in another process has no trace.
//
// What follows at once from a record, and from it alone, is a child in its trace: that
// it was heard, was applied by a projection, was told by the outbox. What may follow
// days later, or from many records, is a trace of its own with a link to it: a
// follow-up. A trace that waited for it would never be whole.
//
// Names of spans and values of attributes are words of this program, positions in it
// and counts; never what was sent. So of a trace that comes from outside its id is
// taken, and neither its tracestate nor any baggage: these are texts of others.
package tracing

import (
	"context"
	"encoding/hex"
	"sync"
	"time"

	"consentledger/eventstore"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Scope is the name of what makes the ledger's spans and metrics.
const Scope = "consentledger"

// Kept is how many of the newest traced records are remembered.
const Kept = 8192

// Traces makes spans, and remembers which records were written in which. Nil traces
// nothing. Its methods may be called concurrently.
type Traces struct {
	tracer trace.Tracer

	mu     sync.RWMutex
	places map[eventstore.EventID]place
	ring   []eventstore.EventID // of places, in the order in which they came
	next   int                  // where in the ring the next one stands
}

// A place is where in a trace a record is.
type place struct {
	span    trace.SpanContext
	written time.Time // zero: it is not known to be yet
}

// New returns traces that p makes.
func New(p trace.TracerProvider) *Traces {
	return &Traces{tracer: p.Tracer(Scope), places: map[eventstore.EventID]place{}}
}

// On reports whether anything is traced.
func (t *Traces) On() bool { return t != nil }

var noSpan = trace.SpanFromContext(context.Background())

// Start begins a span, in the trace of ctx if that has one.
func (t *Traces) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (
	context.Context, trace.Span) {
	if t == nil {
		return ctx, noSpan
	}
	return t.tracer.Start(ctx, name, options...)
}

// Step begins a span inside of one that is recorded. If there is none, nothing is
// traced.
func (t *Traces) Step(ctx context.Context, name string, options ...trace.SpanStartOption) (
	context.Context, trace.Span) {
	if t == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, noSpan
	}
	return t.tracer.Start(ctx, name, options...)
}

// Fail says that a span ended badly, by a code: what went wrong in words may repeat
// what was sent.
func Fail(s trace.Span, code string) {
	if s.IsRecording() {
		s.SetStatus(codes.Error, code)
		s.SetAttributes(attribute.String("error.type", code))
	}
}

// Receive begins the span of a message or a request that came at a moment: in the trace
// in which it was sent, with a link to that in which what it holds was made. What is no
// trace is passed over.
func (t *Traces) Receive(ctx context.Context, name string, kind trace.SpanKind, sent, made string, came time.Time) (
	context.Context, trace.Span) {
	options := []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithTimestamp(came)}
	if link, ok := Parse(made); ok {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: link}))
	}
	return t.Start(Remote(ctx, sent), name, options...)
}

// Remote returns ctx in the trace that a traceparent says, as W3C Trace Context writes
// it. What is none leaves ctx as it is.
func Remote(ctx context.Context, traceparent string) context.Context {
	if span, ok := Parse(traceparent); ok {
		return trace.ContextWithRemoteSpanContext(ctx, span)
	}
	return ctx
}

// Parse reads a traceparent as far as this program knows the form: that of a later
// version may be longer.
func Parse(text string) (_ trace.SpanContext, ok bool) {
	const length = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
	if len(text) < length || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return trace.SpanContext{}, false
	}
	version, err := hexByte(text[:2])
	switch {
	case err != nil || version == 0xff:
		return trace.SpanContext{}, false
	case version == 0 && len(text) != length, len(text) > length && text[length] != '-':
		return trace.SpanContext{}, false
	}

	id, err := trace.TraceIDFromHex(text[3:35])
	if err != nil {
		return trace.SpanContext{}, false
	}
	span, err := trace.SpanIDFromHex(text[36:52])
	if err != nil {
		return trace.SpanContext{}, false
	}
	flags, err := hexByte(text[53:55])
	if err != nil {
		return trace.SpanContext{}, false
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, SpanID: span, TraceFlags: trace.TraceFlags(flags) & trace.FlagsSampled, Remote: true,
	}), true
}

// hexByte reads two lower-case digits.
func hexByte(text string) (byte, error) {
	for i := range len(text) {
		if c := text[i]; c >= 'A' && c <= 'F' {
			return 0, hex.InvalidByteError(c)
		}
	}
	var b [1]byte
	_, err := hex.Decode(b[:], []byte(text))
	return b[0], err
}

// Traceparent returns the trace of ctx as W3C Trace Context writes it; empty: it has
// none.
func Traceparent(ctx context.Context) string {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return ""
	}
	flags := span.TraceFlags() & trace.FlagsSampled
	return "00-" + span.TraceID().String() + "-" + span.SpanID().String() + "-" + flags.String()
}

// Wrote notes that a record is about to be written in the span of ctx. The record is
// noted before it is there: whoever follows the log may be quicker than who appended.
func (t *Traces) Wrote(ctx context.Context, id eventstore.EventID) {
	if t == nil {
		return
	}
	span := trace.SpanContextFromContext(ctx)
	if !span.IsSampled() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, again := t.places[id]; !again {
		t.add(id)
	}
	t.places[id] = place{span: span}
}

// add gives an id a place in the ring, in that of the oldest if there is no other.
func (t *Traces) add(id eventstore.EventID) {
	if len(t.ring) < Kept {
		t.ring = append(t.ring, id)
		return
	}
	delete(t.places, t.ring[t.next])
	t.ring[t.next] = id
	t.next = (t.next + 1) % Kept
}

// Durable notes that a record is there now.
func (t *Traces) Durable(id eventstore.EventID) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if p, ok := t.places[id]; ok && p.written.IsZero() {
		p.written = time.Now()
		t.places[id] = p
	}
}

// Heard makes a span of it that the feed heard of a record that was traced, from when it
// was durable. What follows from the record is a child of that.
func (t *Traces) Heard(id eventstore.EventID) {
	if t == nil {
		return
	}
	p, ok := t.place(id)
	if !ok {
		return
	}
	now := time.Now()
	if p.written.IsZero() {
		p.written = now // who appended does not know yet
	}
	ctx := trace.ContextWithSpanContext(context.Background(), p.span)
	_, span := t.tracer.Start(ctx, "feed", trace.WithTimestamp(p.written))
	span.End(trace.WithTimestamp(now))

	t.mu.Lock()
	defer t.mu.Unlock()
	if _, still := t.places[id]; still {
		t.places[id] = place{span: span.SpanContext(), written: p.written}
	}
}

// Of returns where a record is in its trace. Not ok: it was not traced, or that is
// forgotten.
func (t *Traces) Of(id eventstore.EventID) (_ trace.SpanContext, ok bool) {
	if t == nil {
		return trace.SpanContext{}, false
	}
	p, ok := t.place(id)
	return p.span, ok
}

func (t *Traces) place(id eventstore.EventID) (place, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	p, ok := t.places[id]
	return p, ok
}

// Follows begins a span of what follows at once from a record that was traced, and from
// it alone: a child. Of any other nothing is traced.
func (t *Traces) Follows(ctx context.Context, id eventstore.EventID, name string, options ...trace.SpanStartOption) (
	context.Context, trace.Span) {
	parent, ok := t.Of(id)
	if !ok {
		return ctx, noSpan
	}
	return t.tracer.Start(trace.ContextWithSpanContext(ctx, parent), name, options...)
}

// Linked begins a span, in a trace of its own, of what follows from a cause when it is
// time. Of what follows from a cause that was not traced nothing is.
func (t *Traces) Linked(ctx context.Context, cause trace.SpanContext, name string) (context.Context, trace.Span) {
	if t == nil || !cause.IsSampled() {
		return ctx, noSpan
	}
	return t.tracer.Start(ctx, name, trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: cause}))
}
