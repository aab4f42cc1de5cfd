package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/telemetry"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// A receiver takes traces and metrics by OTLP, as a collector does, and keeps them.
type receiver struct {
	collectortrace.UnimplementedTraceServiceServer
	address string

	mu      sync.Mutex
	raw     bytes.Buffer // everything as it came
	all     []*spans.Span
	metrics map[string]*metrics.Metric // the newest of each name
}

// receiverOf is the other service: both have a method Export.
type metricsReceiver struct {
	collectormetrics.UnimplementedMetricsServiceServer
	*receiver
}

func receive(t *testing.T) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{address: l.Addr().String(), metrics: map[string]*metrics.Metric{}}
	server := grpc.NewServer()
	collectortrace.RegisterTraceServiceServer(server, r)
	collectormetrics.RegisterMetricsServiceServer(server, metricsReceiver{receiver: r})
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return r
}

func (r *receiver) keep(m proto.Message) {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	r.raw.Write(b)
}

// Export takes traces.
func (r *receiver) Export(_ context.Context, in *collectortrace.ExportTraceServiceRequest) (*collectortrace.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(in)
	for _, resource := range in.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			r.all = append(r.all, scope.Spans...)
		}
	}
	return &collectortrace.ExportTraceServiceResponse{}, nil
}

// Export takes metrics.
func (r metricsReceiver) Export(_ context.Context, in *collectormetrics.ExportMetricsServiceRequest) (*collectormetrics.ExportMetricsServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(in)
	for _, resource := range in.ResourceMetrics {
		for _, scope := range resource.ScopeMetrics {
			for _, m := range scope.Metrics {
				r.metrics[m.Name] = m
			}
		}
	}
	return &collectormetrics.ExportMetricsServiceResponse{}, nil
}

// of returns the spans of a trace by their names; of several of a name the last.
func (r *receiver) of(traceparent string) map[string]*spans.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]*spans.Span{}
	for _, s := range r.all {
		if hex.EncodeToString(s.TraceId) == traceparent[3:35] {
			all[s.Name] = s
		}
	}
	return all
}

// patience is how long the receiver may take to get what is sent to it.
const patience = 2 * time.Minute

func pause() { time.Sleep(20 * time.Millisecond) }

// await waits until a trace has spans of all names.
func (r *receiver) await(t *testing.T, traceparent string, names ...string) map[string]*spans.Span {
	t.Helper()
	late := time.Now().Add(patience)
	for {
		all := r.of(traceparent)
		there := slices.Sorted(maps.Keys(all))
		if !slices.ContainsFunc(names, func(name string) bool { return all[name] == nil }) {
			return all
		}
		if pause(); time.Now().After(late) {
			t.Fatalf("the trace has %q, want %q", there, names)
		}
	}
}

// below fails unless each span is a child of the one before it.
func below(t *testing.T, all map[string]*spans.Span, parent []byte, names ...string) {
	t.Helper()
	for _, name := range names {
		if s := all[name]; !bytes.Equal(s.ParentSpanId, parent) {
			t.Errorf("%s is below %x, want %x", name, s.ParentSpanId, parent)
		}
		parent = all[name].SpanId
	}
}

// linksTo reports whether a span has a link to another's.
func linksTo(s *spans.Span, traceID, spanID string) bool {
	return slices.ContainsFunc(s.Links, func(l *spans.Span_Link) bool {
		return hex.EncodeToString(l.TraceId) == traceID && (spanID == "" || hex.EncodeToString(l.SpanId) == spanID)
	})
}

func traceOf(n int) string { return fmt.Sprintf("00-%032x-%016x-01", 0xabc000+n, 0xdef000+n) }

func spanID(traceparent string) []byte {
	id, err := hex.DecodeString(traceparent[36:52])
	if err != nil {
		panic(err)
	}
	return id
}

// sentTo is the environment in which a server sends what it measures to a receiver.
func sentTo(to *receiver) map[string]string {
	return map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + to.address, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
		"OTEL_METRIC_EXPORT_INTERVAL": "500", "OTEL_BSP_SCHEDULE_DELAY": "50",
	}
}

// observed is a server that sends what it measures to a receiver, and shows it.
func observed(t *testing.T, to *receiver) *running {
	t.Helper()
	for name, value := range sentTo(to) {
		t.Setenv(name, value)
	}
	config, err := telemetry.Read(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	config.Prometheus = true
	r := startWith(t, server.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Telemetry: config})
	for _, args := range [][]string{{"app", "add", "smartkey", "--handler", "Demo Ltd"}, {"policy", "publish", "--app", "smartkey", "smartkey/policy.yaml"}} {
		if out, err := cli(t, r, args...); err != nil {
			t.Fatalf("%v: %s %v", args, out, err)
		}
	}
	return r
}

// mark is in everything that a sender of this test chooses.
const mark = "zz-marked"

// marked is an event all of whose words are the sender's, with more attributes.
func marked(id, kind, attributes, data string) []byte {
	return []byte(`{"specversion":"1.0","id":"` + mark + id + `","source":"` + mark + `/app","type":"` + kind + `","subject":"` + mark + `-subject",` +
		attributes + `"data":` + data + `}`)
}

var projected = []string{"project activity", "project consents", "project policies", "project requests"}

func TestOneTraceFromTheAppToTheProjections(t *testing.T) {
	to := receive(t)
	r := observed(t, to)
	nc, err := nats.Connect(r.nats, nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	told, err := nc.SubscribeSync("consent.v1.smartkey.out.>")
	if err != nil {
		t.Fatal(err)
	}

	// As a request, in the header that other languages write.
	asked, made := traceOf(1), traceOf(2)
	given := marked("1", "consent.given", `"traceparent":"`+made+`","tracestate":"a=`+mark+`",`, `{"act":"agree-popup","details":{"device":"`+mark+`"}}`)
	answer, err := nc.RequestMsg(&nats.Msg{Subject: "consent.v1.smartkey.record", Data: given,
		Header: nats.Header{"traceparent": {asked}, "tracestate": {"a=" + mark}, "baggage": {"who=" + mark}}}, patience)
	if err != nil || answer.Header.Get("Nats-Service-Error-Code") != "" {
		t.Fatalf("%s, %v", answer.Data, err)
	}
	const record = "process consent.v1.{app}.record"
	all := to.await(t, asked, append([]string{record, "parse", "decide", "append", "feed"}, projected...)...)
	below(t, all, spanID(asked), record, "parse")
	below(t, all, all[record].SpanId, "decide")
	below(t, all, all[record].SpanId, "append", "feed")
	for _, name := range projected {
		below(t, all, all["feed"].SpanId, name)
	}
	if s := all[record]; s.Kind != spans.Span_SPAN_KIND_SERVER || !linksTo(s, made[3:35], made[36:52]) || s.Status.GetCode() == spans.Status_STATUS_CODE_ERROR {
		t.Errorf("the span of the request: %v", s)
	}

	// Through JetStream, in the header as Go writes it. A withdrawal opens obligations: it
	// says so itself, and the outbox tells it.
	drained := traceOf(3)
	if _, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: "consent.v1.smartkey.in.consent.withdrawn", Header: nats.Header{"Traceparent": {drained}},
		Data: marked("2", "consent.withdrawn", "", `{"purposes":["personalisation"]}`)}); err != nil {
		t.Fatal(err)
	}
	const in, send = "process consent.v1.{app}.in.{type}", "send consent.v1.{app}.out.{type}"
	all = to.await(t, drained, append([]string{in, "append", "feed", send}, projected...)...)
	below(t, all, spanID(drained), in, "append", "feed", send)
	for goesOn := false; !goesOn; {
		out, err := told.NextMsg(patience)
		if err != nil {
			t.Fatalf("nothing that the outbox tells goes on with the trace: %v", err)
		}
		goesOn = len(out.Header["traceparent"]) == 1 && out.Header["traceparent"][0] == "00-"+drained[3:35]+"-"+hex.EncodeToString(all[send].SpanId)+"-01"
	}

	// Over HTTP the event alone says its trace.
	posted := traceOf(4)
	post(t, r, "/v1/apps/smartkey/events", "", marked("3", "consent.given", `"traceparent":"`+posted+`",`, `{"act":"confirm-next","purposes":["personalisation"]}`))
	all = to.await(t, posted, "record event", "append", "feed", "project consents")
	below(t, all, spanID(posted), "record event", "append", "feed", "project consents")

	// Of a batch every event has its own trace; the request's is linked.
	rows := [2]string{traceOf(5), traceOf(6)}
	batch := [][]byte{}
	for i, row := range rows {
		batch = append(batch, marked(fmt.Sprint("4-", i), "policy.acknowledged", `"traceparent":"`+row+`",`, `{"policy":"privacy","locale":"en","act":"agree-popup"}`))
	}
	post(t, r, "/v1/apps/smartkey/events", "", append(append([]byte{'['}, bytes.Join(batch, []byte(","))...), ']'))
	for _, row := range rows {
		if all = to.await(t, row, "record event", "append", "project activity"); len(all["record event"].Links) != 1 {
			t.Errorf("an event of a batch has links %v", all["record event"].Links)
		}
	}
	header := traceOf(7)
	post(t, r, "/v1/apps/smartkey/events", header, marked("5", "consent.withdrawn", "", `{"all":true}`))
	all = to.await(t, header, "POST /v1/apps/{app}/events", "record event", "append", "project consents")
	below(t, all, spanID(header), "POST /v1/apps/{app}/events", "record event", "append")

	// That a policy was published lets it take effect, and that opens obligations: what
	// follows so is a trace of its own, linked to the record that it follows from.
	for late := time.Now().Add(patience); !to.followed(); pause() {
		if time.Now().After(late) {
			t.Fatal("nothing follows up")
		}
	}

	// What is refused fails by its code, over each road.
	refused := traceOf(9)
	if _, err := nc.RequestMsg(&nats.Msg{Subject: "consent.v1.smartkey.record", Header: nats.Header{"TRACEPARENT": {refused}},
		Data: marked("7", mark, "", `{"details":"`+mark+`"}`)}, patience); err != nil {
		t.Fatal(err)
	}
	if s := to.await(t, refused, record)[record]; s.Status.GetCode() != spans.Status_STATUS_CODE_ERROR || s.Status.Message != "malformed" {
		t.Errorf("what is refused: %v", s.Status)
	}
	if _, err := js.Publish(t.Context(), "consent.v1.smartkey.in.consent.given", marked("8", "consent.given", "", `{"act":"`+mark+`"}`)); err != nil {
		t.Fatal(err)
	}

	page := to.awaitMetrics(t, r)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	checkNames(t, to.all)
	for what, text := range map[string]string{"the receiver": to.raw.String(), "/metrics": page} {
		for _, word := range []string{mark, "smartkey", "personalisation", "Demo Ltd"} {
			if at := strings.Index(text, word); at >= 0 {
				t.Errorf("%s got %q: ...%q", what, word, text[max(0, at-60):min(len(text), at+60)])
			}
		}
	}
}

// checkNames fails for a span whose name is neither that of a route nor in the docs.
func checkNames(t *testing.T, all []*spans.Span) {
	t.Helper()
	docs, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		name, _, projected := strings.Cut(s.Name, " ")
		if projected && name != "project" {
			name = s.Name
		}
		if !strings.Contains(string(docs), "\n| `"+name+"`") && !regexp.MustCompile(`^(GET|POST|PUT) /[a-z0-9/{}.-]*$`).MatchString(s.Name) {
			t.Errorf("docs/observability.md has no span %s", s.Name)
		}
	}
}

// followed reports whether a follow-up wrote something in a trace of its own, which has
// one link: to where another record was heard.
func (r *receiver) followed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.all {
		if s.Name != "follow up" || len(s.ParentSpanId) > 0 || len(s.Links) != 1 || bytes.Equal(s.Links[0].TraceId, s.TraceId) {
			continue
		}
		cause := func(c *spans.Span) bool { return c.Name == "feed" && bytes.Equal(c.SpanId, s.Links[0].SpanId) }
		effect := func(e *spans.Span) bool { return e.Name == "append" && bytes.Equal(e.ParentSpanId, s.SpanId) }
		if slices.ContainsFunc(r.all, cause) && slices.ContainsFunc(r.all, effect) {
			return true
		}
	}
	return false
}

func post(t *testing.T, r *running, path, traceparent string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.http+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if traceparent != "" {
		req.Header.Set("traceparent", traceparent)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || bytes.Contains(text, []byte(`"problem"`)) {
		t.Fatalf("%s: %s", resp.Status, text)
	}
}

func scrape(t *testing.T, r *running) string {
	t.Helper()
	return scrapeAs(t, r, "*/*")
}

// scrapeAs returns the metrics in a form that is accepted.
func scrapeAs(t *testing.T, r *running, form string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.http+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", form)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s, %v", resp.Status, text, err)
	}
	return string(text)
}

// absentAtRest are the metrics that are there only while something goes on.
var absentAtRest = []string{telemetry.RebuildProgress.Name}

// awaitMetrics waits until the receiver has every metric, and checks values. It returns
// the page of metrics.
func (r *receiver) awaitMetrics(t *testing.T, server *running) string {
	t.Helper()
	late := time.Now().Add(patience)
	missing := func() string {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, m := range telemetry.Metrics {
			if r.metrics[m.Name] == nil && !slices.Contains(absentAtRest, m.Name) {
				return m.Name
			}
		}
		if valueOf(r.metrics[telemetry.Obligations.Name], "open") < 1 || valueOf(r.metrics[telemetry.Rejected.Name], "") < 1 {
			return "what was recorded last"
		}
		return ""
	}
	for ; missing() != ""; pause() {
		if time.Now().After(late) {
			t.Fatalf("the receiver has no %s", missing())
		}
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	for name, m := range r.metrics {
		at := slices.IndexFunc(telemetry.Metrics, func(m *telemetry.Metric) bool { return m.Name == name })
		if at < 0 {
			if !strings.HasPrefix(name, "otel.") {
				t.Errorf("%s is in no list", name)
			}
			continue
		}
		is := telemetry.Metrics[at]
		if m.Unit != is.Unit || m.Description != is.Text {
			t.Errorf("%s is in %q: %s", name, m.Unit, m.Description)
		}
		checkLabels(t, is, m)
	}
	for name, least := range map[string]float64{
		telemetry.DiskFree.Name: 1, telemetry.DiskSize.Name: 1, telemetry.DiskReserve.Name: 1, telemetry.Folds.Name: 2,
	} {
		if got := valueOf(r.metrics[name], ""); got < least {
			t.Errorf("%s is %v, want %v at least", name, got, least)
		}
	}
	if got := valueOf(r.metrics[telemetry.ProjectionProgress.Name], "consents"); got <= 0 || got > 1 {
		t.Errorf("the progress of a projection is %v", got)
	}
	if got := countOf(r.metrics[telemetry.AppendDuration.Name]); got < 6 {
		t.Errorf("%d appends were measured", got)
	}
	if got := countOf(r.metrics[telemetry.AppendBatch.Name]); got < 1 {
		t.Errorf("%d syncs were measured", got)
	}

	page := scrape(t, server)
	series := regexp.MustCompile(`(?m)^[a-z_]+(\{.*\})? `).FindAllString(page, -1)
	if len(series) > telemetry.MaxSeries() {
		t.Errorf("there are %d series, and %d at most were meant", len(series), telemetry.MaxSeries())
	}
	for _, line := range []string{
		`consentledger_append_duration_seconds_count{outcome="recorded"}`, `consentledger_append_batch_size_sum`,
		`consentledger_fold_lookups_total{result="hit"}`, `consentledger_projection_lag_seconds{projection="consents"} 0`,
		`consentledger_obligations{state="overdue"} 0`, `consentledger_disk_free_bytes`, `consentledger_checkpoint_lag_seconds`,
		`consentledger_rejected_total{code="unknown-act"} 1`, `consentledger_intake_waiting 0`, `consentledger_projection_progress_ratio{projection="requests"}`,
	} {
		if !strings.Contains(page, "\n"+line) {
			t.Errorf("/metrics has no %s:\n%s", line, page)
		}
	}
	return page
}

// checkLabels fails unless the labels are those that a metric may have.
func checkLabels(t *testing.T, is *telemetry.Metric, m *metrics.Metric) {
	t.Helper()
	for _, point := range points(m) {
		labels := point.labels
		if is.Label == "" && len(labels) > 0 || is.Label != "" && (len(labels) != 1 || labels[is.Label] == "") {
			t.Errorf("%s has the labels %v, want %q", is.Name, labels, is.Label)
		}
		value := labels[is.Label]
		known := is.Values == nil && regexp.MustCompile(`^[a-z-]+$`).MatchString(value) || slices.Contains(is.Values, value)
		if is.Label != "" && !known {
			t.Errorf("%s has the label %s=%q", is.Name, is.Label, value)
		}
	}
}

type point struct {
	labels map[string]string
	value  float64
	count  uint64
}

func points(m *metrics.Metric) (list []point) {
	numbers := slices.Concat(m.GetGauge().GetDataPoints(), m.GetSum().GetDataPoints())
	for _, p := range numbers {
		one := point{labels: map[string]string{}, value: p.GetAsDouble() + float64(p.GetAsInt())}
		for _, a := range p.Attributes {
			one.labels[a.Key] = a.Value.GetStringValue()
		}
		list = append(list, one)
	}
	for _, p := range m.GetHistogram().GetDataPoints() {
		one := point{labels: map[string]string{}, value: p.GetSum(), count: p.Count}
		for _, a := range p.Attributes {
			one.labels[a.Key] = a.Value.GetStringValue()
		}
		list = append(list, one)
	}
	return list
}

// valueOf adds up the points with a label; empty: all.
func valueOf(m *metrics.Metric, label string) (sum float64) {
	for _, p := range points(m) {
		if label == "" || slices.Contains(slices.Collect(maps.Values(p.labels)), label) {
			sum += p.value
		}
	}
	return sum
}

func countOf(m *metrics.Metric) (n uint64) {
	for _, p := range points(m) {
		n += p.count
	}
	return n
}
