package projections

import (
	"context"
	"fmt"
	"sync"
	"time"

	"consentledger/eventstore"
)

// A Runner runs one projection and tells how far it is. Fill in the first
// fields; the rest of the zero Runner is ready.
type Runner struct {
	History    History
	Projection Projection
	Pace       time.Duration // how long to rest for every entry applied, so that the next Apply has more to do; at most half a second

	mu    sync.Mutex
	at    eventstore.Position
	ended bool
	err   error
	moved chan struct{} // closed and replaced whenever the fields above change
	hurry chan struct{} // holds one if somebody waits
}

// Run is [Run] for the Runner's projection. It is called once.
func (r *Runner) Run(ctx context.Context) error {
	err := Run(ctx, gathering{r.History, r.Pace, r.hurried()}, r.Projection, func(p eventstore.Position) { r.move(p, nil, false) })
	at, _, _ := r.look()
	r.move(at, err, true)
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
		at, ended, moved := r.look()
		switch {
		case at >= min:
			return nil
		case ended:
			_, err := r.State()
			return &BehindError{Name: "projection " + r.Projection.Name(), At: at, Head: min, Stopped: err}
		}
		select {
		case r.hurried() <- struct{}{}:
		default:
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("projection %s is at %d, waiting for %d: %w", r.Projection.Name(), at, min, ctx.Err())
		}
	}
}

func (r *Runner) hurried() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hurry == nil {
		r.hurry = make(chan struct{}, 1)
	}
	return r.hurry
}

func (r *Runner) look() (eventstore.Position, bool, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moved == nil {
		r.moved = make(chan struct{})
	}
	return r.at, r.ended, r.moved
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
