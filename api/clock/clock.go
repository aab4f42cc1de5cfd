// Package clock watches the clock by which the ledger records.
//
// Recorded is the wall clock's word, and everything that is dated stands on it.
// Somebody may set it. So the wall clock is held against the clock that only
// counts, which nobody can set: when they part by more than they may, the log
// of every app says so, with the size and the direction of the step. That the
// clock was behind what was recorded before is said at the start, and once a day
// that nothing happened: silence would prove nothing.
//
// What is not seen: a clock that is wrong and steady, and on some systems a
// machine that slept looks like one whose clock was set forward.
package clock

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
)

// A Ledger is where observations are recorded.
type Ledger interface {
	Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error)
	Now() deadline.Instant
}

// A Watch watches the clock. Fill in Ledger, Apps, Wall, Count and Log.
type Watch struct {
	Ledger Ledger
	Apps   func() []ident.AppName
	Wall   func() deadline.Instant // what records are dated by
	Count  func() time.Duration    // what only counts, since any moment
	Log    *slog.Logger

	Every  time.Duration // how often the clocks are compared; zero: 10 s
	Bound  time.Duration // by how much they may part in that time; zero: 1 s
	Steady time.Duration // how often it is said that they did not; zero: a day
}

// Run watches until ctx is done.
func (w *Watch) Run(ctx context.Context) error {
	every, steady := or(w.Every, 10*time.Second), or(w.Steady, 24*time.Hour)
	w.atStart(ctx)
	wall, count := w.Wall(), w.Count()
	since := count
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		step := millis(w.Wall()-wall) - (w.Count() - count)
		wall, count = w.Wall(), w.Count()
		switch {
		case step.Abs() > or(w.Bound, time.Second):
			w.record(ctx, "stepped", step, count-since)
			since = count
		case count-since >= steady:
			w.record(ctx, "steady", 0, count-since)
			since = count
		}
	}
}

// atStart says so if the clock is behind what was recorded before: it was set
// back while nobody watched, or is another machine's.
func (w *Watch) atStart(ctx context.Context) {
	wall := w.Wall()
	if behind := millis(w.Ledger.Now() - wall); behind > or(w.Bound, time.Second) {
		w.record(ctx, "behind", -behind, 0)
	}
}

// record writes an observation into the log of every app. One that cannot be
// recorded is logged: a ledger that is broken has worse to tell.
func (w *Watch) record(ctx context.Context, what string, step, watched time.Duration) {
	fields := map[string]string{"observation": what, "watched": fmt.Sprint(int64(watched / time.Second))}
	if step != 0 {
		fields["step"], fields["direction"] = fmt.Sprint(step.Abs().Milliseconds()), "forward"
		if step < 0 {
			fields["direction"] = "back"
		}
		w.Log.Warn("the clock is not where it should be", "observation", what, "step", step)
	}

	id := fmt.Sprintf("%s %d", what, w.Wall())
	for _, app := range w.Apps() {
		_, err := w.Ledger.Execute(ctx, ledger.Request{
			App: app, Source: "consentledger/clock", ID: id, Body: []byte(id),
			Actor: string(ident.System), RecordedBy: ident.Ledger,
			Command: domain.Say{Event: domain.Noted{Kind: catalog.ClockObserved, Fields: policy.Fields(fields)}},
		})
		if err != nil && ctx.Err() == nil {
			w.Log.Warn("an observation of the clock could not be recorded", "app", app, "error", err)
		}
	}
}

func millis(i deadline.Instant) time.Duration { return time.Duration(i) * time.Millisecond }

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
