package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/eventstore/tracing"

	"go.opentelemetry.io/otel/metric"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// env is an environment of pairs of a name and a value.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestNothingLeavesUntilSomebodySaysSo(t *testing.T) {
	const endpoint, url = "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"
	for _, c := range []struct {
		name string
		env  []string
		want Config
	}{
		{"nothing", nil, Config{}},
		{"an endpoint", []string{endpoint, url}, Config{Traces: HTTP, Metrics: HTTP}},
		{"an endpoint, by gRPC", []string{endpoint, url, "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, Config{Traces: GRPC, Metrics: GRPC}},
		{"one signal by gRPC", []string{endpoint, url, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"}, Config{Traces: GRPC, Metrics: HTTP}},
		{"an endpoint of traces", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url + "/v1/traces"}, Config{Traces: HTTP}},
		{"an exporter", []string{"OTEL_METRICS_EXPORTER", "otlp"}, Config{Metrics: HTTP}},
		{"two exporters", []string{"OTEL_METRICS_EXPORTER", "otlp, prometheus"}, Config{Metrics: HTTP, Prometheus: true}},
		{"no traces", []string{endpoint, url, "OTEL_TRACES_EXPORTER", "none"}, Config{Metrics: HTTP}},
		{"switched off", []string{endpoint, url, "OTEL_SDK_DISABLED", "true"}, Config{}},
		{"a variable that is empty", []string{endpoint, " ", "OTEL_TRACES_EXPORTER", ""}, Config{}},
		{"a ratio", []string{endpoint, url, "OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "0.1"}, Config{Traces: HTTP, Metrics: HTTP}},
	} {
		got, err := Read(env(c.env...))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

func TestAVariableThatIsWrongIsNamed(t *testing.T) {
	const endpoint, url = "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"
	for _, c := range []struct {
		name  string
		env   []string
		names string
	}{
		{"an endpoint without a scheme", []string{endpoint, "127.0.0.1:4318"}, endpoint},
		{"an endpoint without a host", []string{endpoint, "http://"}, endpoint},
		{"an endpoint of another scheme", []string{endpoint, "unix:///sock"}, endpoint},
		{"an endpoint of one signal without its path", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
		{"a protocol that is not spoken", []string{endpoint, url, "OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}, "OTEL_EXPORTER_OTLP_PROTOCOL"},
		{"an exporter that is not there", []string{"OTEL_TRACES_EXPORTER", "zipkin"}, "OTEL_TRACES_EXPORTER"},
		{"none beside another", []string{"OTEL_METRICS_EXPORTER", "none,otlp"}, "OTEL_METRICS_EXPORTER"},
		{"a timeout with a unit", []string{endpoint, url, "OTEL_EXPORTER_OTLP_TIMEOUT", "10s"}, "OTEL_EXPORTER_OTLP_TIMEOUT"},
		{"an interval below zero", []string{endpoint, url, "OTEL_METRIC_EXPORT_INTERVAL", "-1"}, "OTEL_METRIC_EXPORT_INTERVAL"},
		{"a certificate that is not there", []string{endpoint, url, "OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"}, "OTEL_EXPORTER_OTLP_CERTIFICATE"},
		{"a sampler that nobody knows", []string{endpoint, url, "OTEL_TRACES_SAMPLER", "always_offf"}, "OTEL_TRACES_SAMPLER"},
		{"a ratio in percent", []string{endpoint, url, "OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "10%"}, "OTEL_TRACES_SAMPLER_ARG"},
		{"a ratio that is no number", []string{endpoint, url, "OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "NaN"}, "OTEL_TRACES_SAMPLER_ARG"},
		{"neither true nor false", []string{"OTEL_SDK_DISABLED", "yes"}, "OTEL_SDK_DISABLED"},
	} {
		if _, err := Read(env(c.env...)); err == nil || !strings.HasPrefix(err.Error(), c.names+": ") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestWhatIsNotFollowedIsWarnedOf(t *testing.T) {
	c, err := Read(env("OTEL_LOGS_EXPORTER", "otlp", "OTEL_METRICS_EXPORTER", "otlp,prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT", "9464",
		"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta", "OTEL_PROPAGATORS", "b3"))
	if err != nil || len(c.Warnings) != 4 {
		t.Errorf("%q, %v", c.Warnings, err)
	}
}

func TestOffIsNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	o, err := Open(t.Context(), Config{}, "1", slog.New(slog.DiscardHandler))
	if err != nil || o.Traces != nil || o.Meter != nil || o.Page != nil || runtime.NumGoroutine() > before {
		t.Errorf("%+v, %v, %d goroutines more", o, err, runtime.NumGoroutine()-before)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

// A receiver over HTTP gets both, in the other protocol than that of serve's own test.
func TestHTTP(t *testing.T) {
	var mu sync.Mutex
	got := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		traces, metrics := new(collectortrace.ExportTraceServiceRequest), new(collectormetrics.ExportMetricsServiceRequest)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.URL.Path == "/v1/traces" && proto.Unmarshal(body, traces) == nil:
			got[traces.ResourceSpans[0].ScopeSpans[0].Spans[0].Name]++
		case r.URL.Path == "/v1/metrics" && proto.Unmarshal(body, metrics) == nil:
			got[metrics.ResourceMetrics[0].ScopeMetrics[0].Metrics[0].Name]++
		}
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	c, err := Read(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	o, err := Open(t.Context(), c, "1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, span := o.Traces.Start(t.Context(), "a span")
	span.End()
	counter, err := Folds.Int64Counter(o.Meter)
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 1, Folds.Of("hit"))
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if got["a span"] != 1 || got[Folds.Name] != 1 {
		t.Errorf("the receiver got %v", got)
	}
}

// A receiver that is not there is counted and logged, not waited for.
func TestAReceiverThatIsAwayDisturbsNobody(t *testing.T) {
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Run(protocol, func(t *testing.T) {
			for name, value := range map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_TIMEOUT": "500",
			} {
				t.Setenv(name, value)
			}
			c, err := Read(os.Getenv)
			if err != nil {
				t.Fatal(err)
			}
			var text bytes.Buffer
			var mu sync.Mutex
			o, err := Open(t.Context(), c, "1", slog.New(slog.NewTextHandler(locked{&mu, &text}, nil)))
			if err != nil {
				t.Fatal(err)
			}
			for range 10_000 { // more than the queue has room for
				_, span := o.Traces.Start(t.Context(), "a span")
				span.End()
			}
			began := time.Now()
			_ = o.Close() // says that the last ones are lost
			if took := time.Since(began); took > closeWithin+time.Minute {
				t.Errorf("closing took %s", took)
			}
			mu.Lock()
			defer mu.Unlock()
			if o.Failures() == 0 || !strings.Contains(text.String(), "the ledger goes on") {
				t.Errorf("%d failures; logged: %s", o.Failures(), text.String())
			}
		})
	}
}

type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func TestALogLineSaysItsTrace(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(Handler(slog.NewTextHandler(&text, nil))).With("part", "a").WithGroup("g")
	ctx := tracing.Remote(context.Background(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	log.InfoContext(ctx, "inside")
	if got := text.String(); !strings.Contains(got, "trace_id=0af7651916cd43dd8448eb211c80319c") || !strings.Contains(got, "span_id=b7ad6b7169203331") || !strings.Contains(got, "part=a") {
		t.Errorf("inside of a span: %s", got)
	}
	text.Reset()
	log.InfoContext(t.Context(), "outside")
	if got := text.String(); strings.Contains(got, "trace_id") {
		t.Errorf("outside of a span: %s", got)
	}
}

// Every metric with every label is on one page: two of one name would take the page away.
func TestThePageHasEverySeries(t *testing.T) {
	o, err := Open(t.Context(), Config{Prometheus: true}, "1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	codes := new(Bounded)
	for _, m := range Metrics {
		labels := m.Values
		for i := range 2 * m.Limit {
			labels = append(labels, codes.Of(m, fmt.Sprint("code-", i)))
		}
		if m.Label == "" {
			labels = []string{""}
		}
		fill(t, o.Meter, m, labels)
	}
	err = Watch(o.Meter, func(_ context.Context, tell Tell) error {
		for _, m := range Metrics {
			switch {
			case m.Kind != Gauge && m != Failures:
			case m.Label == "":
				tell(m, 1)
			default:
				for _, value := range m.Values {
					tell(m, 1, value)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	w := httptest.NewRecorder()
	o.Page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	series := 0
	for line := range strings.Lines(w.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			series++
		}
	}
	if w.Code != http.StatusOK || series != MaxSeries() || o.Failures() > 0 {
		t.Errorf("%d: %d series, want %d; %d failures", w.Code, series, MaxSeries(), o.Failures())
	}
	if MaxSeries() > 2000 {
		t.Errorf("%d series are too many", MaxSeries())
	}
	for _, m := range Metrics {
		if name := inPrometheus(m); !strings.Contains(w.Body.String(), "\n# TYPE "+name+" ") {
			t.Errorf("the page has no %s", name)
		}
	}
}

// fill measures a metric that is told of with every label.
func fill(t *testing.T, by metric.Meter, m *Metric, labels []string) {
	t.Helper()
	if m.Kind == Gauge || m == Failures {
		return
	}
	floats, err1 := m.Float64Histogram(by)
	counter, err2 := metric.Int64Counter(nil), error(nil)
	if m.Kind == Counter {
		counter, err2 = m.Int64Counter(by)
		err1 = nil
	}
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for _, label := range labels {
		option := m.Of(label)
		if m.Label == "" {
			option = metric.WithAttributes()
		}
		if counter != nil {
			counter.Add(t.Context(), 1, option)
		} else {
			floats.Record(t.Context(), 1, option)
		}
	}
}

// inPrometheus is the name of a metric there.
func inPrometheus(m *Metric) string {
	name := strings.ReplaceAll(m.Name, ".", "_")
	switch m.Unit {
	case "s":
		name += "_seconds"
	case "By":
		name += "_bytes"
	case "1":
		name += "_ratio"
	}
	if m.Kind == Counter {
		name += "_total"
	}
	return name
}

func TestThePageOfDocsListsEveryMetric(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "observability.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range Metrics {
		label := ""
		if m.Label != "" {
			label = "`" + m.Label + "`: " + strings.Join(m.Values, ", ")
			if m.Values == nil {
				label += fmt.Sprintf("at most %d", m.Limit)
			}
		}
		row := fmt.Sprintf("| `%s` | `%s` | %s | `%s` | %s | %d | %s |", m.Name, inPrometheus(m), m.Kind, m.Unit, label, m.Series(), m.Text)
		if !strings.Contains(string(text), "\n"+row+"\n") {
			t.Errorf("the page lacks\n%s", row)
		}
	}
	if !strings.Contains(string(text), fmt.Sprintf("**%d series**", MaxSeries())) {
		t.Errorf("the page does not say that there are %d series at most", MaxSeries())
	}
	rows := strings.Count(string(text), "\n| `consentledger.")
	if rows != len(Metrics) {
		t.Errorf("the page lists %d metrics, there are %d", rows, len(Metrics))
	}
}
