package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"consentledger/api/admission"
	"consentledger/api/auth/session"
	"consentledger/api/nats/callout"
	"consentledger/api/nats/intake"
	"consentledger/cmd/internal/telemetry"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/tracing"
	"consentledger/projections/requests"

	"go.opentelemetry.io/otel/metric"
)

// measured is what a ledger tells while it runs. The zero measured: nothing.
type measured struct {
	telemetry *telemetry.Telemetry // nil: of a ledger that serves nobody
	traces    *tracing.Traces
	ledger    *ledger.Meter
	synced    func(records int)
	turned    func(refusal.Code) // a message was rejected
	limited   func()             // a request was one too many
	sessions  session.Counter    // somebody signed in or out, or was refused
	refused   func(admission.Class, admission.Why)
	asked     func(callout.Outcome) // a NATS server asked whom to let in
	tried     func(taken bool)      // an event was sent to a webhook
}

// newMeasured makes what is told as it happens, as far as anybody wants to know.
func newMeasured(t *telemetry.Telemetry) (m measured, err error) {
	m.telemetry, m.traces = t, t.Traces
	if t.Meter == nil {
		return m, nil
	}

	appended, err1 := telemetry.AppendDuration.Float64Histogram(t.Meter)
	batch, err2 := telemetry.AppendBatch.Int64Histogram(t.Meter)
	folds, err3 := telemetry.Folds.Int64Counter(t.Meter)
	rejected, err4 := telemetry.Rejected.Int64Counter(t.Meter)
	limited, err5 := telemetry.Limited.Int64Counter(t.Meter)
	sent, err6 := telemetry.WebhookAttempts.Int64Counter(t.Meter)
	overload, err7 := telemetry.Overload.Int64Counter(t.Meter)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		return m, err
	}

	ctx, codes := context.Background(), new(telemetry.Bounded)
	outcomes, hit, miss := telemetry.AppendDuration.Each(), telemetry.Folds.Of("hit"), telemetry.Folds.Of("miss")
	m.ledger = &ledger.Meter{
		Appended: func(took time.Duration, o ledger.Outcome) { appended.Record(ctx, took.Seconds(), outcomes[o]) },
		Folded: func(cached bool) {
			if cached {
				folds.Add(ctx, 1, hit)
				return
			}
			folds.Add(ctx, 1, miss)
		},
	}
	taken, failed := telemetry.WebhookAttempts.Of("taken"), telemetry.WebhookAttempts.Of("failed")
	sent.Add(ctx, 0, taken) // there from the beginning, so that a rate sees the first
	sent.Add(ctx, 0, failed)
	m.tried = func(ok bool) {
		if ok {
			sent.Add(ctx, 1, taken)
			return
		}
		sent.Add(ctx, 1, failed)
	}
	m.synced = func(records int) { batch.Record(ctx, int64(records)) }
	limited.Add(ctx, 0) // it is there before the first is refused: a rate begins somewhere
	m.limited = func() { limited.Add(ctx, 1) }
	reasons := map[admission.Why]metric.MeasurementOption{}
	for _, why := range telemetry.Overload.Values {
		reasons[admission.Why(why)] = telemetry.Overload.Of(why)
		overload.Add(ctx, 0, reasons[admission.Why(why)])
	}
	m.refused = func(_ admission.Class, why admission.Why) { overload.Add(ctx, 1, reasons[why]) }
	m.turned = func(code refusal.Code) {
		rejected.Add(ctx, 1, telemetry.Rejected.Of(codes.Of(telemetry.Rejected, string(code))))
	}
	return m, errors.Join(m.countSessions(t), m.countCallouts(t))
}

// measureWithin is how long it may take to look at everything: whoever asks has not for
// ever.
const measureWithin = 5 * time.Second

// measure is called whenever somebody asks how the ledger is. What cannot be told now is
// left out, and counted as a failure.
func (h *Server) measure(ctx context.Context, tell telemetry.Tell) error {
	ctx, cancel := context.WithTimeout(ctx, measureWithin)
	defer cancel()
	tell(telemetry.Failures, float64(h.Measured.telemetry.Failures()))
	return errors.Join(
		h.measureFollowers(ctx, tell), h.measureIntake(ctx, tell), h.measureObligations(ctx,
			tell), h.measureDisk(tell), h.measureWebhooks(ctx, tell), h.measureLimits(tell))
}

// measureFollowers says how far behind is who follows the log.
func (h *Server) measureFollowers(ctx context.Context, tell telemetry.Tell) error {
	head, err := h.Dir.Ledger.Head(ctx)
	if err != nil {
		return err
	}

	known := map[eventstore.Position]lag{} // they often stand at one place
	behind := func(at eventstore.Position) lag {
		l, has := known[at]
		if !has {
			l = lagBehind(ctx, h.Dir.Ledger, at, head)
			known[at] = l
		}
		err = errors.Join(err, l.err)
		return l
	}

	for _, r := range h.Runners {
		at, stopped := r.State()
		l, name := behind(at), r.Projection.Name()
		tell(telemetry.ProjectionLag, float64(l.seconds), name)
		tell(telemetry.ProjectionBehind, float64(l.records), name)
		tell(telemetry.ProjectionProgress, share(at, head), name)
		tell(telemetry.ProjectionStopped, number(stopped != nil), name)
	}
	at, _ := h.Logs.Covered()
	tell(telemetry.CheckpointLag, float64(behind(at).seconds))
	followed, _ := h.FollowUp.State()
	tell(telemetry.FollowUpLag, float64(behind(followed.Position).seconds))
	if h.turns.has(workFollowUps) {
		tell(telemetry.OutboxLag, float64(behind(h.told()).seconds))
	}
	for _, w := range Works {
		tell(telemetry.Turns, number(h.turns.has(w)), string(w))
	}

	for question, at := range h.readings.positions() {
		tell(telemetry.RebuildProgress, share(at, head), questions[question])
	}
	return err
}

// questions are the values of a label, of what is said of a question.
var questions = map[string]string{ReadingAudit: "audit", ReadingRebuild: "rebuild"}

// watchMeasures lets whoever asks look at what is open.
func (h *Server) watchMeasures() error {
	if t := h.Measured.telemetry; t.Meter != nil {
		return telemetry.Watch(t.Meter, h.measure)
	}
	return nil
}

// page returns the page of metrics; nil: there is none.
func (m measured) page() http.Handler {
	if m.telemetry == nil {
		return nil
	}
	return m.telemetry.Page
}

// share returns which part of the log was read: positions have gaps, so about that.
func share(at, head eventstore.Position) float64 {
	if at >= head {
		return 1
	}
	return float64(at) / float64(head)
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// measureIntake says what waits, and what was rejected and not looked at.
func (h *Server) measureIntake(ctx context.Context, tell telemetry.Tell) error {
	if w, known := h.Intake.Watch.Waiting(); known {
		since := 0.0
		if w.Messages > 0 {
			since = max(0, time.Since(w.Since).Seconds())
		}
		tell(telemetry.IntakeWaiting, float64(w.Messages))
		tell(telemetry.IntakeLag, since)
	}

	if !h.Conn.IsConnected() || h.Intake.Watch.Trouble(intake.Roads) != nil {
		return nil // not known, and health says why
	}

	unseen, err := h.rejected.Unseen(ctx)
	if err == nil {
		tell(telemetry.Unseen, float64(unseen))
	}
	return err
}

// measureObligations says what is owed.
func (h *Server) measureObligations(ctx context.Context, tell telemetry.Tell) error {
	counts, err := h.requests.CountStates(ctx, h.Dir.Ledger.Now())
	if err != nil {
		return err
	}
	for _, name := range telemetry.Obligations.Values {
		state, err := requests.ParseState(name)
		if err != nil {
			return err
		}
		tell(telemetry.Obligations, float64(counts[state]), name)
	}
	return nil
}

// measureDisk says how much room there is.
func (h *Server) measureDisk(tell telemetry.Tell) error {
	room, err := h.Dir.DB.Room()
	if err != nil || room.Total == 0 {
		return err
	}
	tell(telemetry.DiskFree, float64(room.Free))
	tell(telemetry.DiskReserve, float64(room.Reserve()))
	tell(telemetry.DiskSize, float64(room.Total))
	return nil
}
