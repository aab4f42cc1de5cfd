package projections

import (
	"context"
	"sync"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// A Group keeps projections up to date, and reads the history once for all of them
// that stand at one position. Each has its own checkpoint, its own transaction and its
// own failure: one that stops leaves the others running.
//
// Those that read together wait for each other after every batch. One that takes much
// longer than another goes on by itself, so that it does not hold them up; then the
// history is read for it alone.
type Group struct {
	History History
	Runners []*Runner
	// how long to rest for every entry applied, so that the next Apply has more to do; at most half
	// a second
	Pace time.Duration
}

// patience is how much longer than the first of them a projection may take to apply
// what several read together.
const patience = 3 * time.Second

// Run runs the projections until ctx is done or all have stopped. It calls stopped with
// the error of each that stops, which names the projection and where it stands.
func (g *Group) Run(ctx context.Context, stopped func(error)) {
	c := workers{Group: g, stopped: stopped}
	defer c.wait.Wait()

	places := map[eventstore.Position][]*Runner{}
	for _, r := range g.Runners {
		at, err := r.Projection.Checkpoint(ctx)
		if err != nil {
			stopped(r.stop(0, err))
			continue
		}
		r.move(at, nil, false)
		places[at] = append(places[at], r)
	}
	for at, runners := range places {
		c.wait.Go(func() { c.follow(ctx, at, runners) })
	}
}

// Workers are a group at work.
type workers struct {
	*Group
	stopped func(error)
	wait    sync.WaitGroup
}

// follow runs projections that stand at one position.
func (c *workers) follow(ctx context.Context, at eventstore.Position, runners []*Runner) {
	for len(runners) > 0 {
		at, runners = c.together(ctx, at, runners)
	}
}

// together reads the history for projections that stand at one position, and returns
// who is left, and where, once one went on by itself.
func (c *workers) together(
	ctx context.Context, at eventstore.Position, runners []*Runner,
) (eventstore.Position, []*Runner) {
	hurry := make(chan struct{}, 1)
	for _, r := range runners {
		r.readBy(hurry)
	}

	history := gathering{c.History, c.Pace, hurry}
	for entries, err := range history.Follow(ctx, at) {
		if err != nil {
			c.stop(at, runners, err)
			return at, nil
		}
		after, late := at, false
		at = entries[len(entries)-1].Position
		if runners, late = c.apply(ctx, after, entries, runners); late || len(runners) == 0 {
			return at, runners // and the entries are left to who is late
		}
	}

	c.stop(at, runners, errEnded)
	return at, nil
}

func (c *workers) stop(at eventstore.Position, runners []*Runner, err error) {
	for _, r := range runners {
		c.stopped(r.stop(at, err))
	}
}

// apply lets projections apply entries that come after a position, and returns those
// that did. One that is late is left alone, and goes on by itself.
func (c *workers) apply(
	ctx context.Context, after eventstore.Position, entries []codec.Entry, runners []*Runner,
) (in []*Runner, late bool) {
	at := entries[len(entries)-1].Position
	done := make(chan *Runner, len(runners)) // nil: it stopped
	for _, r := range runners {
		c.wait.Go(func() {
			if err := r.apply(ctx, after, entries); err != nil {
				c.stopped(err)
				r = nil
			}
			done <- r
		})
	}

	var over <-chan time.Time
	for left := len(runners); left > 0; left-- {
		select {
		case r := <-done:
			if r != nil {
				in = append(in, r)
			}
			if over == nil {
				over = time.After(patience)
			}
		case <-over:
			for range left {
				c.wait.Go(func() {
					if r := <-done; r != nil {
						c.follow(ctx, at, []*Runner{r})
					}
				})
			}
			return in, true
		}
	}
	return in, false
}
