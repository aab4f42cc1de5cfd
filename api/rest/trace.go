package rest

import (
	"context"
	"errors"
	"net/http"

	"consentledger/eventstore/ledger"
	"consentledger/eventstore/tracing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// sentInTrace is the key of whether a request said in which trace it was sent.
type sentInTrace struct{}

// traced reads in which trace a request was sent.
func (s *server) traced(h http.Handler) http.Handler {
	if !s.Traces.On() {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if values := r.Header["Traceparent"]; len(values) == 1 {
			if sent, ok := tracing.Parse(values[0]); ok {
				ctx := context.WithValue(r.Context(), sentInTrace{}, true)
				r = r.WithContext(trace.ContextWithRemoteSpanContext(ctx, sent))
			}
		}
		h.ServeHTTP(w, r)
	})
}

// span begins the span of a route, which is called what the route is: the path as it
// is described, and not as it was asked for.
func (s *server) span(ctx context.Context, method, path string) (context.Context, trace.Span) {
	if !s.Traces.On() {
		return ctx, trace.SpanFromContext(ctx)
	}
	return s.Traces.Start(ctx, method+" "+path, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", method), attribute.String("http.route", path)))
}

// failed notes in a span what a route failed with.
func failed(span trace.Span, err error) error {
	if f, is := errors.AsType[failure](err); is {
		tracing.Fail(span, f.Code)
		span.SetAttributes(attribute.Int("http.response.status_code", f.Status))
	}
	return err
}

// eventSpan begins the span of one event. It is in the trace in which the request was
// sent; if that says none, in the one in which the event was made. The other of the two
// is linked.
func (s *server) eventSpan(ctx context.Context, req ledger.Request) (context.Context, trace.Span) {
	if !s.Traces.On() {
		return ctx, trace.SpanFromContext(ctx)
	}
	request := trace.SpanContextFromContext(ctx)
	made, says := tracing.Parse(req.Traceparent)
	switch sent := ctx.Value(sentInTrace{}) != nil; {
	case !says:
		return s.Traces.Start(ctx, "record event")
	case sent:
		return s.Traces.Start(ctx, "record event", trace.WithLinks(trace.Link{SpanContext: made}))
	}
	ctx = trace.ContextWithRemoteSpanContext(ctx, made)
	return s.Traces.Start(ctx, "record event", trace.WithLinks(trace.Link{SpanContext: request}))
}
