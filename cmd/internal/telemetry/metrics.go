package telemetry

import (
	"context"
	"slices"
	"sync"

	"consentledger/cmd/internal/views"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// A Metric is one thing that is measured: what it is called and what labels it may have.
// The labels are words of this program, all known beforehand: no app, no person and
// nothing that was sent is among them, so that nobody is named where nothing can be
// erased, and the number of series has a bound.
type Metric struct {
	Name, Unit, Text string
	Kind             Kind
	Label            string   // empty: it has none
	Values           []string // of the label; nil: as many as Limit says, as they come
	Limit            int
	Bounds           []float64 // of a histogram's buckets
}

// A Kind is how a metric is counted.
type Kind string

// The kinds.
const (
	Gauge     Kind = "gauge"
	Counter   Kind = "counter"
	Histogram Kind = "histogram"
)

// Series is how many series a metric has in Prometheus at most.
func (m *Metric) Series() int {
	n := max(1, len(m.Values), m.Limit)
	if m.Kind == Histogram {
		n *= len(m.Bounds) + 3 // and the bucket of all, the sum and the count
	}
	return n
}

// MaxSeries is how many there are of all metrics at most. It is far below the 2,000 that
// OpenTelemetry keeps of one metric before it adds the rest up.
func MaxSeries() (n int) {
	for _, m := range Metrics {
		n += m.Series()
	}
	return n + 1 // target_info
}

// The metrics.
var (
	AppendDuration = &Metric{Name: "consentledger.append.duration", Unit: "s", Kind: Histogram,
		Text:  "How long an append took, until it survived a crash",
		Label: "outcome", Values: []string{"recorded", "overtaken", "failed"},
		Bounds: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}
	AppendBatch = &Metric{Name: "consentledger.append.batch.size", Unit: "{record}", Kind: Histogram,
		Text: "How many records one disk sync made durable", Bounds: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500,
			1000}}
	Folds = &Metric{Name: "consentledger.fold.lookups", Unit: "{lookup}", Kind: Counter,
		Text: "How often a history was asked for, and whether the cache had it", Label: "result",
		Values: []string{"hit", "miss"}}
	Rejected = &Metric{Name: "consentledger.rejected", Unit: "{message}", Kind: Counter,
		Text: "Messages that were put with the rejected, by the code of the refusal", Label: "code", Limit: 120}

	Limited = &Metric{Name: "consentledger.http.limited", Unit: "{request}", Kind: Counter,
		Text: "Requests that were refused because who sent them asks faster than --rate"}

	SignIns = &Metric{Name: "consentledger.session.signins", Unit: "{session}", Kind: Counter,
		Text: "Sessions of browsers that were begun, by how somebody signed in", Label: "way", Values: []string{"key",
			"provider", "setup"}}
	SignOuts = &Metric{Name: "consentledger.session.signouts", Unit: "{order}", Kind: Counter,
		Text: "How often sessions were ended by somebody: the one here, all of their own, or all of another's by an " +
			"administrator",
		Label: "how", Values: []string{"here", "everywhere", "administrator"}}
	SignInRefusals = &Metric{Name: "consentledger.session.refusals", Unit: "{refusal}", Kind: Counter,
		Text:  "How often a browser was not signed in, or not taken for who had signed in, by why",
		Label: "why", Values: []string{"key", "role", "state", "provider", "link", "form", "rate", "session", "away"}}
	Callouts = &Metric{Name: "consentledger.callout.questions", Unit: "{question}", Kind: Counter,
		Text:  "Questions of NATS servers whom to let in (auth callout), by what came of them: let-in, or why nobody was",
		Label: "outcome", Values: []string{"let-in", "no-key", "unknown-key", "expired-key", "revoked-key", "credential",
			"unmapped", "kind", "away", "unread"}}
	Overload = &Metric{Name: "consentledger.overload.refused", Unit: "{request}", Kind: Counter,
		Text:  "Requests that were refused because too much was under way, over HTTP and NATS, by why",
		Label: "why", Values: []string{"full", "principal", "app", "bodies", "memory"}}
	Working = &Metric{Name: "consentledger.requests.working", Unit: "{request}", Kind: Gauge,
		Text: "Requests that are being worked on, by their class", Label: "class", Values: []string{"quick", "record",
			"batch", "heavy"}}
	MemoryCeiling = &Metric{Name: "consentledger.memory.ceiling", Unit: "By", Kind: Gauge,
		Text: "The memory above which nothing new is taken"}

	IntakeWaiting = &Metric{Name: "consentledger.intake.waiting", Unit: "{message}", Kind: Gauge,
		Text: "Messages in the stream of incoming events that are not recorded yet"}
	IntakeLag = &Metric{Name: "consentledger.intake.lag", Unit: "s", Kind: Gauge,
		Text: "How long the oldest of them has waited"}
	Unseen = &Metric{Name: "consentledger.rejected.unseen", Unit: "{message}", Kind: Gauge,
		Text: "Rejected messages that may be an opt-out, and that nobody has looked at"}

	ProjectionLag = &Metric{Name: "consentledger.projection.lag", Unit: "s", Kind: Gauge,
		Text:  "How long ago the oldest record was recorded that a projection has not applied",
		Label: "projection", Values: projections}
	ProjectionBehind = &Metric{Name: "consentledger.projection.behind", Unit: "{record}", Kind: Gauge,
		Text: "Records that a projection has not applied, 10,000 at most", Label: "projection", Values: projections}
	ProjectionProgress = &Metric{Name: "consentledger.projection.progress", Unit: "1", Kind: Gauge,
		Text: "Which part of the log a projection has read: below 1 while it is built", Label: "projection",
		Values: projections}
	ProjectionStopped = &Metric{Name: "consentledger.projection.stopped", Unit: "{projection}", Kind: Gauge,
		Text: "1 if a projection stopped and reads no more, else 0", Label: "projection", Values: projections}
	CheckpointLag = &Metric{Name: "consentledger.checkpoint.lag", Unit: "s", Kind: Gauge,
		Text: "How long ago the oldest record was recorded that no signed checkpoint covers"}
	FollowUpLag = &Metric{Name: "consentledger.followup.lag", Unit: "s", Kind: Gauge,
		Text: "How long ago the oldest record was recorded whose follow-ups are not known"}
	OutboxLag = &Metric{Name: "consentledger.outbox.lag", Unit: "s", Kind: Gauge,
		Text: "How long ago the oldest record was recorded that is not told on NATS"}
	WebhookAttempts = &Metric{Name: "consentledger.webhook.attempts", Unit: "{attempt}", Kind: Counter,
		Text: "How often an event was sent to a webhook, and whether it was taken", Label: "outcome",
		Values: []string{"taken", "failed"}}
	Webhooks = &Metric{Name: "consentledger.webhooks", Unit: "{webhook}", Kind: Gauge,
		Text: "Webhooks by how they do: a failing one is tried again, a paused one is not", Label: "state",
		Values: []string{"well", "failing", "paused"}}
	Turns = &Metric{Name: "consentledger.turn", Unit: "{turn}", Kind: Gauge,
		Text:  "1 if it is this process's turn at work that one process does at a time, else 0",
		Label: "work", Values: []string{"intake", "follow-ups", "checkpoints"}}
	RebuildProgress = &Metric{Name: "consentledger.rebuild.progress", Unit: "1", Kind: Gauge,
		Text:  "Which part of the log a question has read that reads all of it; there while one runs",
		Label: "question", Values: []string{"audit", "rebuild"}}

	Obligations = &Metric{Name: "consentledger.obligations", Unit: "{obligation}", Kind: Gauge,
		Text: "Obligations that are not settled, by state", Label: "state", Values: []string{"open", "at-risk",
			"overdue", "paused", "held", "not-started"}}

	DiskFree = &Metric{Name: "consentledger.disk.free", Unit: "By", Kind: Gauge,
		Text: "Bytes that are free on the disk of the data directory"}
	DiskReserve = &Metric{Name: "consentledger.disk.reserve", Unit: "By", Kind: Gauge,
		Text: "Bytes that are kept free: with less nothing is recorded"}
	DiskSize = &Metric{Name: "consentledger.disk.size", Unit: "By", Kind: Gauge,
		Text: "Bytes that the disk has"}
	Failures = &Metric{Name: "consentledger.telemetry.failures", Unit: "{failure}", Kind: Counter,
		Text: "How often traces or metrics could not be sent, or measured"}
)

var projections = slices.Sorted(slices.Values(views.Names()))

// Metrics are all of them.
var Metrics = []*Metric{
	AppendDuration, AppendBatch, Folds, Rejected, Limited, Overload, Working, MemoryCeiling, SignIns, SignOuts,
	SignInRefusals, Callouts, IntakeWaiting, IntakeLag, Unseen,
	ProjectionLag, ProjectionBehind, ProjectionProgress, ProjectionStopped, CheckpointLag, FollowUpLag, OutboxLag,
	WebhookAttempts, Webhooks, Turns, RebuildProgress,
	Obligations, DiskFree, DiskReserve, DiskSize, Failures,
}

// Of returns the label of a metric with a value.
func (m *Metric) Of(value string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String(m.Label, value)))
}

// Each returns the label of a metric with every value, in their order.
func (m *Metric) Each() (all []metric.RecordOption) {
	for _, value := range m.Values {
		all = append(all, m.Of(value))
	}
	return all
}

// Float64Histogram makes the metric.
func (m *Metric) Float64Histogram(by metric.Meter) (metric.Float64Histogram, error) {
	return by.Float64Histogram(m.Name,
		metric.WithUnit(m.Unit), metric.WithDescription(m.Text), metric.WithExplicitBucketBoundaries(m.Bounds...))
}

// Int64Histogram makes the metric.
func (m *Metric) Int64Histogram(by metric.Meter) (metric.Int64Histogram, error) {
	return by.Int64Histogram(m.Name,
		metric.WithUnit(m.Unit), metric.WithDescription(m.Text), metric.WithExplicitBucketBoundaries(m.Bounds...))
}

// Int64Counter makes the metric.
func (m *Metric) Int64Counter(by metric.Meter) (metric.Int64Counter, error) {
	return by.Int64Counter(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Text))
}

// A Tell says what a metric is now, with the value of its label if it has one.
type Tell func(m *Metric, now float64, label ...string)

// Watch lets read be called whenever somebody asks for the metrics that are looked at
// and not told of: all gauges, and [Failures].
func Watch(by metric.Meter, read func(ctx context.Context, tell Tell) error) error {
	made := map[*Metric]metric.Float64Observable{}
	var all []metric.Observable
	for _, m := range Metrics {
		if m.Kind != Gauge && m != Failures {
			continue
		}
		one, err := m.observable(by)
		if err != nil {
			return err
		}
		made[m] = one
		all = append(all, one)
	}

	_, err := by.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		return read(ctx, func(m *Metric, now float64, label ...string) {
			if len(label) > 0 {
				o.ObserveFloat64(made[m], now, m.Of(label[0]))
				return
			}
			o.ObserveFloat64(made[m], now)
		})
	}, all...)
	return err
}

func (m *Metric) observable(by metric.Meter) (metric.Float64Observable, error) {
	if m.Kind == Counter {
		return by.Float64ObservableCounter(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Text))
	}
	return by.Float64ObservableGauge(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Text))
}

// A Bounded lets so many texts through as come first, and makes "other" of the rest.
type Bounded struct {
	mu   sync.Mutex
	seen map[string]bool
}

// Of returns a text, or "other" once a metric has all the values that it may have.
func (b *Bounded) Of(m *Metric, text string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.seen[text]:
		return text
	case len(b.seen) >= m.Limit-1:
		return "other"
	case b.seen == nil:
		b.seen = map[string]bool{}
	}
	b.seen[text] = true
	return text
}
