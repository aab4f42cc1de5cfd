package telemetry

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A Config says what leaves the process. The zero Config: nothing.
type Config struct {
	Traces     Protocol // None: spans are not made
	Metrics    Protocol // None: metrics are not sent
	Prometheus bool     // metrics can be asked for

	// Warnings are settings that are not followed, in words.
	Warnings []string
}

// A Protocol is how something is sent by OTLP.
type Protocol string

// The protocols.
const (
	None Protocol = ""
	HTTP Protocol = "http/protobuf"
	GRPC Protocol = "grpc"
)

// On reports whether anything leaves the process.
func (c Config) On() bool { return c.Traces != None || c.Metrics != None || c.Prometheus }

// Read reads the standard variables. What OpenTelemetry's own readers take for something
// else, or pass over with a line in a log, is an error here: whoever sets a variable
// wants to know that it does nothing. Most of the rest (batches, limits, headers, the
// resource) is read by OpenTelemetry itself.
func Read(getenv func(string) string) (c Config, err error) {
	r := reader{getenv: getenv}
	if r.yes("OTEL_SDK_DISABLED") {
		return Config{}, r.err
	}

	if r.exporter("OTEL_TRACES_EXPORTER", "TRACES", "otlp")["otlp"] {
		c.Traces = r.otlp("TRACES", "v1/traces")
		r.sampler()
	}
	metrics := r.exporter("OTEL_METRICS_EXPORTER", "METRICS", "otlp", "prometheus")
	if metrics["otlp"] {
		c.Metrics = r.otlp("METRICS", "v1/metrics")
		r.millis("OTEL_METRIC_EXPORT_INTERVAL")
	}
	c.Prometheus = metrics["prometheus"]
	c.Warnings = r.warnings(c)
	return c, r.err
}

// A reader reads variables, and remembers the first that is wrong.
type reader struct {
	getenv func(string) string
	err    error
}

// get returns a variable. An empty one is as if it were not there, as OpenTelemetry
// wants it.
func (r *reader) get(name string) string { return strings.TrimSpace(r.getenv(name)) }

func (r *reader) fail(name, want string, wrapped ...error) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", name, errors.Join(append([]error{errors.New(want)}, wrapped...)...))
	}
}

func (r *reader) yes(name string) bool {
	text := strings.ToLower(r.get(name))
	if text != "" && text != "true" && text != "false" {
		r.fail(name, "want true or false")
	}
	return text == "true"
}

// exporter reads which exporters a signal has. If nothing says, it has that of OTLP once
// an endpoint is named: without any the ledger sends nothing anywhere.
func (r *reader) exporter(name, signal string, known ...string) map[string]bool {
	text := r.get(name)
	if text == "" {
		there := r.get("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || r.get("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
		return map[string]bool{"otlp": there}
	}

	all := map[string]bool{}
	for _, one := range strings.Split(text, ",") {
		one = strings.TrimSpace(one)
		if one != "none" && !slices.Contains(known, one) {
			r.fail(name, "want "+strings.Join(known, ", ")+" or none")
		}
		all[one] = true
	}
	if all["none"] && len(all) > 1 {
		r.fail(name, "none stands alone, or is left out")
	}
	return all
}

// of reads a variable of a signal, or that of all signals if it is not there.
func (r *reader) of(signal, name string) (from, text string) {
	from = "OTEL_EXPORTER_OTLP_" + signal + "_" + name
	if text = r.get(from); text == "" {
		from = "OTEL_EXPORTER_OTLP_" + name
		text = r.get(from)
	}
	return from, text
}

// otlp reads how a signal is sent.
func (r *reader) otlp(signal, path string) Protocol {
	name, protocol := r.of(signal, "PROTOCOL")
	switch Protocol(protocol) {
	case None, HTTP:
		protocol = string(HTTP)
	case GRPC:
	default:
		r.fail(name, "want http/protobuf or grpc")
	}

	if name, endpoint := r.of(signal, "ENDPOINT"); endpoint != "" {
		u, err := url.Parse(endpoint)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			r.fail(name, "want a URL with its scheme, as in http://127.0.0.1:4318")
		case strings.Contains(name, signal) && Protocol(protocol) == HTTP && strings.Trim(u.Path, "/") == "":
			r.fail(name, "the endpoint of one signal has its path, as in http://127.0.0.1:4318/"+path)
		}
	}
	for _, file := range []string{"CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"} {
		if name, path := r.of(signal, file); path != "" {
			if _, err := os.ReadFile(path); err != nil {
				r.fail(name, "the file cannot be read", err)
			}
		}
	}
	if name, _ := r.of(signal, "TIMEOUT"); true {
		r.millis(name)
	}
	return Protocol(protocol)
}

// millis refuses a time that is no number of milliseconds.
func (r *reader) millis(name string) {
	if text := r.get(name); text != "" {
		if n, err := strconv.Atoi(text); err != nil || n <= 0 {
			r.fail(name, "want milliseconds, as in 10000")
		}
	}
}

// samplers are those that OpenTelemetry knows, and whether they have an argument.
var samplers = map[string]bool{
	"always_on": false, "always_off": false, "traceidratio": true,
	"parentbased_always_on": false, "parentbased_always_off": false, "parentbased_traceidratio": true,
}

// sampler refuses what would be taken to mean that everything is sampled.
func (r *reader) sampler() {
	const name, argument = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
	text := r.get(name)
	takes, known := samplers[text]
	if text != "" && !known {
		r.fail(name, "want always_on, always_off, traceidratio, or one of these after parentbased_")
	}
	if text := r.get(argument); takes && text != "" {
		if ratio, err := strconv.ParseFloat(text, 64); err != nil || !(ratio >= 0 && ratio <= 1) {
			r.fail(argument, "want a ratio from 0 to 1, as in 0.1")
		}
	}
}

// warnings says which settings do nothing, or are not well chosen.
func (r *reader) warnings(c Config) (list []string) {
	if text := r.get("OTEL_LOGS_EXPORTER"); text != "" && text != "none" {
		list = append(list, "OTEL_LOGS_EXPORTER: logs go to standard error alone, with the ids of their traces; "+
			"let a collector read them there")
	}

	if c.Prometheus && r.get("OTEL_EXPORTER_PROMETHEUS_HOST")+r.get("OTEL_EXPORTER_PROMETHEUS_PORT") != "" {
		list = append(list, "OTEL_EXPORTER_PROMETHEUS_HOST and _PORT are not read: /metrics is where --http listens")
	}

	_, counts := r.of("METRICS", "TEMPORALITY_PREFERENCE")
	if c.Metrics != None && counts != "" && !strings.EqualFold(counts, "cumulative") {
		list = append(list, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: what is counted while the receiver "+
			"is away is lost; cumulative loses nothing")
	}

	if text := r.get("OTEL_PROPAGATORS"); text != "" && text != "tracecontext" && text != "tracecontext,baggage" {
		list = append(list, "OTEL_PROPAGATORS: traceparent alone is read and written, and no baggage")
	}
	return list
}
