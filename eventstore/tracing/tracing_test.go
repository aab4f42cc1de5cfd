package tracing_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/tracing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"
)

const remote = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func record(n int) (id eventstore.EventID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n+1))
	return id
}

func tracer() (*tracing.Traces, *tracetest.SpanRecorder) {
	spans := tracetest.NewSpanRecorder()
	return tracing.New(trace.NewTracerProvider(trace.WithSpanProcessor(spans))), spans
}

func TestNilTracesNothing(t *testing.T) {
	var none *tracing.Traces
	ctx := context.Background()
	for name, begin := range map[string]func() (context.Context, api.Span){
		"Start":   func() (context.Context, api.Span) { return none.Start(ctx, "a") },
		"Step":    func() (context.Context, api.Span) { return none.Step(ctx, "a") },
		"Follows": func() (context.Context, api.Span) { return none.Follows(ctx, record(1), "a") },
		"Linked":  func() (context.Context, api.Span) { return none.Linked(ctx, api.SpanContext{}, "a") },
	} {
		got, span := begin()
		if got != ctx || span.IsRecording() {
			t.Errorf("%s makes a span", name)
		}
		tracing.Fail(span, "code")
		span.End()
	}
	none.Wrote(ctx, record(1))
	none.Durable(record(1))
	none.Heard(record(1))
	if _, ok := none.Of(record(1)); ok || none.On() {
		t.Error("nil remembers something")
	}
	if allocated := testing.AllocsPerRun(100, func() { none.Step(ctx, "a") }); allocated > 0 {
		t.Errorf("a step that is not traced allocates %v times", allocated)
	}
}

func TestATraceCrossesTheLog(t *testing.T) {
	traces, spans := tracer()
	ctx, request := traces.Start(tracing.Remote(t.Context(), remote), "request")
	traces.Wrote(ctx, record(1))
	traces.Durable(record(1))
	request.End()
	traces.Heard(record(1))
	_, applied := traces.Follows(t.Context(), record(1), "project")
	applied.End()
	cause, _ := traces.Of(record(1))
	_, later := traces.Linked(t.Context(), cause, "follow up")
	later.End()

	ended := spans.Ended()
	if len(ended) != 4 {
		t.Fatalf("%d spans, want 4", len(ended))
	}
	for i, name := range []string{"request", "feed", "project"} {
		s := ended[i]
		if s.Name() != name || s.SpanContext().TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("span %d is %s in %s", i, s.Name(), s.SpanContext().TraceID())
		}
		if i > 0 && s.Parent().SpanID() != ended[i-1].SpanContext().SpanID() {
			t.Errorf("%s is not a child of %s", name, ended[i-1].Name())
		}
	}
	followUp := ended[3]
	if followUp.SpanContext().TraceID() == ended[0].SpanContext().TraceID() || followUp.Parent().IsValid() {
		t.Error("a follow-up is in the trace of its cause")
	}
	if links := followUp.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != ended[1].SpanContext().SpanID() {
		t.Errorf("a follow-up links to %v", links)
	}
}

func TestTheNewestRecordsAreRemembered(t *testing.T) {
	traces, _ := tracer()
	ctx, span := traces.Start(t.Context(), "many")
	defer span.End()
	const more = 100
	for i := range tracing.Kept + more {
		traces.Wrote(ctx, record(i))
	}
	for i := range tracing.Kept + more {
		if _, ok := traces.Of(record(i)); ok != (i >= more) {
			t.Fatalf("record %d is remembered: %v", i, ok)
		}
	}
}

func TestWhatIsNotSampledIsNotRemembered(t *testing.T) {
	traces, spans := tracer()
	ctx, span := traces.Start(tracing.Remote(t.Context(), remote[:len(remote)-1]+"0"), "request")
	traces.Wrote(ctx, record(1))
	traces.Heard(record(1))
	_, step := traces.Step(ctx, "step")
	step.End()
	span.End()
	if _, ok := traces.Of(record(1)); ok || len(spans.Ended()) > 0 {
		t.Errorf("the sender does not want a trace, and got %v", spans.Ended())
	}
}

// What the log is quicker to tell than the append to return begins when it is heard.
func TestARecordMayBeHeardBeforeItsAppendReturns(t *testing.T) {
	traces, spans := tracer()
	ctx, span := traces.Start(t.Context(), "request")
	traces.Wrote(ctx, record(1))
	began := time.Now()
	traces.Heard(record(1))
	traces.Durable(record(1))
	span.End()
	if feed := spans.Ended()[0]; feed.Name() != "feed" || feed.StartTime().Before(began) || feed.EndTime().Before(feed.StartTime()) {
		t.Errorf("%s from %v to %v", feed.Name(), feed.StartTime(), feed.EndTime())
	}
}

// FuzzParse compares with OpenTelemetry's own reader, which is told the version here.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		remote, "", "00", "ff" + remote[2:], "0" + remote, remote + "-", "01" + remote[2:] + "-more", "01" + remote[2:] + "x", "0A" + remote[2:],
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", remote[:53] + "0g", remote[:53] + "03",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := tracing.Parse(text)
		carrier := propagation.MapCarrier{"traceparent": text}
		want := api.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
		if ok && (!want.IsValid() && text[:2] == "00" && text[53] == '0' && text[54] <= '3' || want.IsValid() && !sameSpan(got, want)) {
			t.Errorf("%q is %v, OpenTelemetry reads %v", text, got, want)
		}
		if !ok && want.IsValid() && len(text) == len(remote) {
			t.Errorf("%q is refused, OpenTelemetry reads %v", text, want)
		}
		if ok && tracing.Traceparent(api.ContextWithSpanContext(context.Background(), got))[:53] != "00"+text[2:53] {
			t.Errorf("%q is written as another", text)
		}
	})
}

func sameSpan(a, b api.SpanContext) bool {
	return a.TraceID() == b.TraceID() && a.SpanID() == b.SpanID() && a.IsSampled() == b.IsSampled()
}
