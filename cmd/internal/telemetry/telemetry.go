// Package telemetry lets traces and metrics leave the process: by OTLP, as the standard
// variables OTEL_... say, and as a page that Prometheus reads.
//
// If nothing is configured nothing is there: no exporter, no goroutine, and the rest of
// the program is told so, and makes no spans. An exporter that fails is counted and
// logged, now and then; it holds up nobody. What its queue has no room for is dropped,
// so a trace proves nothing, and nothing that has to be kept is kept by it.
package telemetry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"consentledger/eventstore/tracing"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// closeWithin is how long what was not sent yet may take when the process ends.
const closeWithin = 5 * time.Second

// A Telemetry is open until Close.
type Telemetry struct {
	Traces *tracing.Traces // nil: nothing is traced
	Meter  metric.Meter    // nil: nothing is measured
	Page   http.Handler    // of metrics, for Prometheus; nil: there is none

	log      *slog.Logger
	shutdown []func(context.Context) error

	mu       sync.Mutex
	failures int64
	said     time.Time
}

// Open opens what a configuration asks for. It waits for no receiver.
func Open(ctx context.Context, c Config, version string, log *slog.Logger) (t *Telemetry, err error) {
	t = &Telemetry{log: log}
	for _, text := range c.Warnings {
		log.Warn("a setting of OpenTelemetry is not followed", "setting", text)
	}
	if !c.On() {
		return t, nil
	}

	otel.SetErrorHandler(otel.ErrorHandlerFunc(t.failed)) // of the process: OpenTelemetry has no other
	about, err := describe(ctx, version)
	if err != nil {
		return nil, err
	}
	if c.Traces != None {
		if err := t.openTraces(ctx, c.Traces, about); err != nil {
			return nil, fmt.Errorf("traces: %w", err)
		}
	}
	if c.Metrics != None || c.Prometheus {
		if err := t.openMetrics(ctx, c, about); err != nil {
			return nil, errors.Join(fmt.Errorf("metrics: %w", err), t.Close())
		}
	}
	return t, nil
}

// describe says who sends: what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, and
// nothing of the machine.
func describe(ctx context.Context, version string) (*resource.Resource, error) {
	own := resource.NewSchemaless(
		attribute.String("service.name", "consentledger"), attribute.String("service.version", version),
		attribute.String("service.instance.id", rand.Text()))
	said, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w; want names and values, as in site=north,rack=7", err)
	}
	return resource.Merge(own, said)
}

func (t *Telemetry) openTraces(ctx context.Context, by Protocol, about *resource.Resource) error {
	var exporter sdktrace.SpanExporter
	var err error
	if by == GRPC {
		exporter, err = otlptracegrpc.New(ctx)
	} else {
		exporter, err = otlptracehttp.New(ctx)
	}
	if err != nil {
		return err
	}

	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	t.Traces = tracing.New(p)
	t.shutdown = append(t.shutdown, p.Shutdown)
	return nil
}

func (t *Telemetry) openMetrics(ctx context.Context, c Config, about *resource.Resource) error {
	options := []sdkmetric.Option{sdkmetric.WithResource(about)}
	if c.Metrics != None {
		exporter, err := metricExporter(ctx, c.Metrics)
		if err != nil {
			return err
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}

	if c.Prometheus {
		registry := client.NewRegistry()
		page, err := prometheus.New(prometheus.WithRegisterer(registry), prometheus.WithoutScopeInfo(),
			prometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes))
		if err != nil {
			return err
		}
		options = append(options, sdkmetric.WithReader(page))
		t.Page = promhttp.HandlerFor(registry, promhttp.HandlerOpts{
			ErrorHandling: promhttp.ContinueOnError, ErrorLog: complaint{t},
		})
	}

	p := sdkmetric.NewMeterProvider(options...)
	t.Meter = p.Meter(tracing.Scope)
	t.shutdown = append(t.shutdown, p.Shutdown)
	return nil
}

func metricExporter(ctx context.Context, by Protocol) (sdkmetric.Exporter, error) {
	if by == GRPC {
		return otlpmetricgrpc.New(ctx)
	}
	return otlpmetrichttp.New(ctx)
}

// A complaint is where the page of metrics says what it leaves out.
type complaint struct{ t *Telemetry }

func (c complaint) Println(v ...any) { c.t.failed(errors.New(fmt.Sprint(v...))) }

// sayEvery is how often it is logged at most that something cannot be sent.
const sayEvery = time.Minute

// failed counts what could not be sent, or measured.
func (t *Telemetry) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures++
	if now := time.Now(); now.Sub(t.said) >= sayEvery {
		t.said = now
		t.log.Warn("traces or metrics are lost; the ledger goes on", "failures", t.failures, "error", err)
	}
}

// Failures returns how often something could not be sent, or measured.
func (t *Telemetry) Failures() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failures
}

// Close sends what was not sent yet, for a few seconds at most. What is measured is
// measured once more, so what it is measured of must be there still.
func (t *Telemetry) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	var all sync.WaitGroup
	errs := make([]error, len(t.shutdown))
	for i, end := range t.shutdown {
		all.Go(func() { errs[i] = end(ctx) })
	}
	all.Wait()
	t.shutdown = nil
	return errors.Join(errs...)
}
