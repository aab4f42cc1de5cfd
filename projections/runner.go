package projections

import (
	"context"
	"fmt"
	"sync"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/tracing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// A Runner is a projection that a [Group] runs, or that somebody else does and is
// watched, see [Runner.Watch]. It tells how far the projection is. Fill in the
// projection; the rest of the zero Runner is ready.
type Runner struct {
	Projection Projection
	Traces     *tracing.Traces // nil: nothing is traced

	mu    sync.Mutex
	at    eventstore.Position
	ended bool
	err   error
	moved chan struct{} // closed and replaced whenever the fields above change
	hurry chan struct{} // holds one if somebody waits; nil: nobody reads for the projection yet

	trouble error // see [Runner.Trouble]
}

// apply applies entries that come after a position, and says how far the projection
// is then. A failure stops it where it stands.
func (r *Runner) apply(ctx context.Context, after eventstore.Position, entries []codec.Entry) error {
	began := time.Now()
	if err := r.Projection.Apply(ctx, entries); err != nil {
		return r.stop(after, err)
	}
	r.trace(ctx, began, entries)
	r.move(entries[len(entries)-1].Position, nil, false)
	return nil
}

// tracedAtOnce is of how many entries of one batch it is traced that they were applied.
const tracedAtOnce = 100

// trace makes a span of it in the trace of every entry, as far as it has one, that a
// batch was applied. They last as long as all of the batch: it is one transaction.
func (r *Runner) trace(ctx context.Context, began time.Time, entries []codec.Entry) {
	if !r.Traces.On() {
		return
	}

	ended, made := time.Now(), 0
	for _, e := range entries {
		_, span := r.Traces.Follows(ctx, e.ID, "project "+r.Projection.Name(), trace.WithTimestamp(began),
			trace.WithAttributes(attribute.Int("consentledger.batch", len(entries))))
		if !span.IsRecording() {
			continue
		}
		span.End(trace.WithTimestamp(ended))
		if made++; made == tracedAtOnce {
			return
		}
	}
}

// How often [Runner.Watch] looks: seldom, but for a while after somebody began to wait;
// and seldom still where nothing has moved for a while, so that a fleet that does
// nothing costs its database nothing.
const (
	lookEvery    = 500 * time.Millisecond
	lookInAHurry = 20 * time.Millisecond
	hurried      = 100 // looks
	lookIdle     = 3 * time.Second
	idle         = 20 // looks
)

// Watch tells how far a projection is that somebody else runs, perhaps in another
// process, by its checkpoint, until ctx is done. An error of the checkpoint stays as
// long as it is there.
func (r *Runner) Watch(ctx context.Context) {
	hurry := make(chan struct{}, 1)
	r.readBy(hurry)
	still := 0 // looks since it moved
	for quick := 0; ctx.Err() == nil; quick-- {
		before, _ := r.State()
		at, err := r.Projection.Checkpoint(ctx)
		if ctx.Err() != nil {
			return
		}
		r.looked(at, err)
		if still++; err != nil || at != before {
			still = 0
		}

		every := lookEvery
		switch {
		case quick > 0:
			every = lookInAHurry
		case still > idle:
			every = lookIdle
		}
		timer := time.NewTimer(every)
		select {
		case <-timer.C:
		case <-hurry:
			quick = hurried
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// looked takes down what was found at the checkpoint.
func (r *Runner) looked(at eventstore.Position, err error) {
	r.mu.Lock()
	before, was := r.at, r.err
	if err == nil && at > before {
		r.trouble = nil // somebody runs it
	}

	trouble := r.trouble
	r.mu.Unlock()
	if err != nil {
		at = before
	} else {
		err = trouble
	}

	if at != before || err != was {
		r.move(at, err, false)
	}
}

// Reached says that a projection that is watched has applied entries up to a position.
func (r *Runner) Reached(at eventstore.Position) { r.looked(at, nil) }

// Trouble says why this process does not run a projection that is watched, though it
// should; nil: it does, or need not.
func (r *Runner) Trouble(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = err
}

// stop says why the projection reads no more: its name and the position after which
// it stands.
func (r *Runner) stop(after eventstore.Position, err error) error {
	err = fmt.Errorf("projection %s after %d: %w", r.Projection.Name(), after, err)
	r.move(after, err, true)
	return err
}

// State returns the position up to which the projection answers, and the
// error that stopped it, if one did. A stopped projection is red health.
func (r *Runner) State() (eventstore.Position, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at, r.err
}

// Wait returns once the projection answers up to at least position min. It
// fails if ctx is done or the projection stopped before.
func (r *Runner) Wait(ctx context.Context, min eventstore.Position) error {
	for {
		at, ended, moved, hurry := r.look()
		switch {
		case at >= min:
			return nil
		case ended:
			_, err := r.State()
			return &BehindError{Name: "projection " + r.Projection.Name(), At: at, Head: min, Stopped: err}
		}
		select {
		case hurry <- struct{}{}:
		default:
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("projection %s is at %d, waiting for %d: %w", r.Projection.Name(), at, min, ctx.Err())
		}
	}
}

func (r *Runner) look() (at eventstore.Position, ended bool, moved <-chan struct{}, hurry chan<- struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moved == nil {
		r.moved = make(chan struct{})
	}
	return r.at, r.ended, r.moved, r.hurry
}

// readBy says whom to tell that somebody waits.
func (r *Runner) readBy(hurry chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hurry = hurry
}

func (r *Runner) move(at eventstore.Position, err error, ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.err, r.ended = at, err, ended
	if r.moved != nil {
		close(r.moved)
	}
	r.moved = make(chan struct{})
}
