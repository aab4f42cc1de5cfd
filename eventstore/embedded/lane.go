package embedded

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// A lane hands what callers bring to one goroutine, in groups: all that came
// while it was busy. Unlike a mutex it can be given up on: work that Pebble
// never returns from leaves the callers free to say so.
type lane struct {
	some chan struct{} // holds one if there may be somebody waiting

	mu      sync.Mutex
	waiting []*write
	closed  bool
}

func newLane() *lane { return &lane{some: make(chan struct{}, 1)} }

// add reports whether l takes writes, which stay in their order: not so once it was
// closed.
func (l *lane) add(w ...*write) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.waiting = append(l.waiting, w...); len(l.waiting) == len(w) {
		select {
		case l.some <- struct{}{}:
		default:
		}
	}
	return true
}

// take empties l, and closes it if it is the last time.
func (l *lane) take(last bool) []*write {
	l.mu.Lock()
	defer l.mu.Unlock()
	group := l.waiting
	l.waiting, l.closed = nil, last
	return group
}

// work calls do with one group after the other until quit is closed, and then
// with those who came before. It calls rest when it had nothing to do for a
// while since the last group.
func (l *lane) work(quit <-chan struct{}, do func([]*write), while time.Duration, rest func()) {
	idle := time.NewTimer(while)
	defer idle.Stop()
	for {
		select {
		case <-l.some:
			runtime.Gosched() // whoever is about to come shall be in the group
			do(l.take(false))
			idle.Reset(while)
		case <-idle.C:
			rest()
		case <-quit:
			do(l.take(true))
			return
		}
	}
}

// bring adds w to the lane and returns once it is done, or an error if it may not
// have been. The caller may look at what the lane has written into w only after
// nil.
func (d *DB) bring(ctx context.Context, w *write) error {
	if err := d.alive(ctx); err != nil {
		return err
	}
	if !d.lane.add(w) {
		return ErrClosed
	}
	return d.wait(ctx, w.done)
}

// wait returns nil once done is closed.
func (d *DB) wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.dead:
		return d.deadWith
	}
}
