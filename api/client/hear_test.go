package client

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"consentledger/api/nats/outbox"
	"consentledger/api/nats/subject"
	"consentledger/eventstore/memory"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// tells lets the ledger tell on NATS what persons say, and returns once it does: it begins
// with what is recorded after it was started.
func (s *service) tells(conn *nats.Conn) {
	s.t.Helper()
	o := &outbox.Outbox{Conn: conn, Ledger: s.ledger, Topic: outbox.Consents, Rows: new(memory.Rows), Apart: true}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})

	told, err := conn.SubscribeSync(subject.Of("smartkey", "out.consent.>"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer told.Unsubscribe()
	c := s.open(nil)
	for n := range 600 {
		if _, err := c.Record(s.t.Context(), agree(fmt.Sprint("account:heard-", n))); err != nil {
			s.t.Fatal(err)
		}
		if _, err := told.NextMsg(100 * time.Millisecond); err == nil {
			return
		}
	}
	s.t.Fatal("nothing is told")
}

// eventuallyNot waits until a person is no longer allowed.
func eventuallyNot(t *testing.T, c *Client, q Question) {
	t.Helper()
	for end := time.Now().Add(time.Minute); c.Allowed(t.Context(), q).Allowed; {
		if time.Now().After(end) {
			t.Fatal("what another process recorded is not seen")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A client that hears what the ledger tells repeats no answer that another process's word
// has made wrong, and remembers nothing while it cannot hear.
func TestWhatAnotherProcessSaidEndsWhatIsRemembered(t *testing.T) {
	s := serve(t)
	conn := s.overNATS()
	s.tells(conn)
	other := s.open(nil)
	c := s.open(func(c *Config) { c.Remember = time.Hour })
	heard, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	own, err := nats.Connect(conn.ConnectedUrl(), nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	go func() { ended <- c.Hear(heard, own) }()

	if _, err := other.Record(t.Context(), agree("account:ann")); err != nil {
		t.Fatal(err)
	}
	remembers := func() bool { // it may hear of the grant in between
		s.asked.Store(0)
		c.Allowed(t.Context(), about("account:ann"))
		c.Allowed(t.Context(), about("account:ann"))
		return s.asked.Load() < 2
	}
	for end := time.Now().Add(time.Minute); !remembers(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing is remembered")
		}
	}
	if _, err := other.Record(t.Context(), withdraw("account:ann")); err != nil {
		t.Fatal(err)
	}
	eventuallyNot(t, c, about("account:ann"))

	// Once it cannot hear, every answer is asked for.
	if _, err := other.Record(t.Context(), agree("account:bo")); err != nil {
		t.Fatal(err)
	}
	if a := c.Allowed(t.Context(), about("account:bo")); !a.Allowed {
		t.Fatalf("%+v", a)
	}
	own.Close()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "connection closed") {
		t.Errorf("the connection is closed: %v", err)
	}
	stop()
}

// While the connection is away nothing is remembered, and afterwards it is again.
func TestNothingIsRememberedWhileNothingIsHeard(t *testing.T) {
	c, err := Open(Config{App: "smartkey", Transport: HTTP("http://127.0.0.1:1"), Remember: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	yes := Answer{Allowed: true}
	ask := func() (known bool) {
		_, known, asked := c.said.ask(about("account:ann"))
		if !known {
			c.said.answered(about("account:ann"), asked, yes, time.Hour)
		}
		return known
	}
	ask()
	if !ask() {
		t.Fatal("an answer is not remembered")
	}
	c.said.forgetAll(true)
	ask()
	if ask() {
		t.Error("an answer is remembered while nothing is heard")
	}
	c.said.forgetAll(false)
	ask()
	if !ask() {
		t.Error("an answer is not remembered once it hears again")
	}

	// What was asked before something was told is not remembered after it.
	c.said.forgetAll(false)
	_, _, asked := c.said.ask(about("account:ann"))
	c.said.heard([]byte(`{"type":"consent.withdrawn","data":{"person":"device:linked"}}`))
	c.said.answered(about("account:ann"), asked, yes, time.Hour)
	if ask() {
		t.Error("an answer from before an opt-out of somebody who may be linked is remembered")
	}
}

// One person has two spellings, and an opt-out in one counts for the other.
func TestAnOptOutCountsHoweverThePersonIsSpelt(t *testing.T) {
	s := serve(t)
	c := s.open(func(c *Config) { c.Remember = time.Hour })
	if _, err := c.Record(t.Context(), agree("account:ann")); err != nil {
		t.Fatal(err)
	}
	if a := c.Allowed(t.Context(), about("account:ann")); !a.Allowed {
		t.Fatalf("%+v", a)
	}
	if _, err := c.Record(t.Context(), withdraw("ann")); err != nil {
		t.Fatal(err)
	}
	if a := c.Allowed(t.Context(), about("account:ann")); a.Allowed {
		t.Errorf("after the withdrawal of ann: %+v", a)
	}
}

// Each try is a span in the caller's trace, which goes along over HTTP and NATS.
func TestATraceGoesAlong(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	tracer, propagator := otel.GetTracerProvider(), otel.GetTextMapPropagator()
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	defer func() {
		otel.SetTracerProvider(tracer)
		otel.SetTextMapPropagator(propagator)
	}()

	s := serve(t)
	conn := s.overNATS()
	came := make(chan string, 8)
	sub, err := conn.Subscribe("consent.v1.smartkey.record", func(m *nats.Msg) { came <- carrier(m.Header).Get("traceparent") })
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- r.Header.Get("Traceparent")
		s.http.Config.Handler.ServeHTTP(w, r)
	}))
	defer front.Close()

	for name, transport := range map[string]Transport{"HTTP": HTTP(front.URL), "NATS": NATS(conn)} {
		spans.Reset()
		ctx, parent := provider.Tracer("app").Start(t.Context(), "order")
		c := s.open(func(c *Config) { c.Transport = transport })
		if _, err := c.Record(ctx, agree("account:trace-"+name)); err != nil {
			t.Fatal(err)
		}
		parent.End()

		var own sdktrace.ReadOnlySpan
		for _, one := range spans.GetSpans().Snapshots() {
			if one.Name() == "consentledger record" {
				own = one
			}
		}
		if own == nil || own.SpanContext().TraceID() != parent.SpanContext().TraceID() {
			t.Fatalf("%s: the try is no span of the trace", name)
		}
		want := own.SpanContext().TraceID().String() + "-" + own.SpanContext().SpanID().String()
		if got := <-came; !strings.Contains(got, want) {
			t.Errorf("%s: what came says %q, want %s", name, got, want)
		}
	}
}
