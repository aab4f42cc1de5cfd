package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// A queue keeps events on disk, a file each, whose names are in the order in which they
// were kept. A file is there whole or not at all, also after a crash, and it is removed
// when the ledger has its event: one that was sent and not removed is sent again, with
// the same id.
type queue struct {
	dir  string
	max  int
	lock *flock.Flock
	wake chan struct{} // has a value when something was put

	mu    sync.Mutex
	items []*kept              // oldest first
	last  uint64               // the number of the newest name
	held  map[string]time.Time // by subject: not tried again before
}

// kept is an event that waits.
type kept struct {
	name  string
	event Event
	done  func() // of [outbound.begin]
}

const (
	refusedDir = "refused"
	suffix     = ".json"
)

func openQueue(dir string, limit int) (_ *queue, err error) {
	if err := os.MkdirAll(filepath.Join(dir, refusedDir), 0o700); err != nil {
		return nil, fmt.Errorf("client: the queue: %w", err)
	}

	q := &queue{
		dir: dir, max: limit, lock: flock.New(filepath.Join(dir, "lock")), wake: make(chan struct{}, 1),
		held: map[string]time.Time{},
	}
	locked, err := q.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("client: the queue: %w", err)
	}

	if !locked {
		return nil, fmt.Errorf("client: the queue %s is in use by another process: give each process a directory of "+
			"its own", dir)
	}
	if err := q.load(); err != nil {
		return nil, errors.Join(err, q.lock.Unlock())
	}
	return q, nil
}

// load reads what waits.
func (q *queue) load() error {
	entries, err := os.ReadDir(q.dir) // sorted by name
	if err != nil {
		return fmt.Errorf("client: the queue: %w", err)
	}

	for _, e := range entries {
		var number uint64
		if n, err := fmt.Sscanf(e.Name(), "%020d"+suffix, &number); n != 1 || err != nil ||
			!strings.HasSuffix(e.Name(), suffix) {
			continue // the lock, what was refused, and what a crash left half written
		}
		path := filepath.Join(q.dir, e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("client: the queue: %w", err)
		}
		event, err := parseEvent(text)
		if err != nil {
			return fmt.Errorf("client: the queue: %s holds no event any more, and it may have been an opt-out: look "+
				"at it, then move it away", path)
		}
		q.items = append(q.items, &kept{name: e.Name(), event: event})
		q.last = number
	}
	return nil
}

func (q *queue) close() error { return q.lock.Unlock() }

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// put keeps an event, on disk when it returns. done is called when it waits no more.
func (q *queue) put(e Event, done func()) error {
	text, err := e.marshal()
	if err != nil {
		return err
	}

	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) >= q.max {
		return fmt.Errorf("client: the queue is full: %d events wait for the ledger; nothing was kept", len(q.items))
	}
	name := fmt.Sprintf("%020d"+suffix, q.last+1)
	if err := writeSynced(q.dir, name, text); err != nil {
		return fmt.Errorf("client: the queue: %w", err)
	}
	q.last++
	q.items = append(q.items, &kept{name: name, event: e, done: done})
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

// writeSynced makes a file that is on disk, and so is its name, when it returns.
func writeSynced(dir, name string, text []byte) error {
	f, err := os.CreateTemp(dir, "next-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

// first returns the oldest events that may be tried now, and when there are more to try.
func (q *queue) first(n int) (batch []*kept, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for _, k := range q.items {
		if until := q.held[k.event.Subject]; now.Before(until) {
			if next.IsZero() || until.Before(next) {
				next = until
			}
			continue
		}
		if batch = append(batch, k); len(batch) == n {
			break
		}
	}
	return batch, next
}

// hold tries none of a person's events for some time.
func (q *queue) hold(subject string, d time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held[subject] = time.Now().Add(d)
}

// drop removes what waits no more.
func (q *queue) drop(gone []*kept) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	is := map[*kept]bool{}
	var errs []error
	for _, k := range gone {
		is[k] = true
		delete(q.held, k.event.Subject)
		errs = append(errs, os.Remove(filepath.Join(q.dir, k.name)))
	}
	q.items = slices.DeleteFunc(q.items, func(k *kept) bool { return is[k] })
	return errors.Join(errs...)
}

// refuse keeps what the ledger refused, and why, apart from what waits.
func (q *queue) refuse(k *kept, why *Refusal) error {
	event, err := k.event.marshal()
	if err != nil {
		return err
	}
	text, err := marshal(struct {
		Event   json.RawMessage `json:"event"`
		Refusal *Refusal        `json:"refusal"`
	}{event, why})
	if err != nil {
		return err
	}
	return writeSynced(filepath.Join(q.dir, refusedDir), k.name, text)
}

// roundRows is how many events Run sends at once, and roundTime how long it tries to.
// Whose event is not answered then is held for heldTime, with all that follows of theirs.
const (
	roundRows = 500
	roundTime = 30 * time.Second
	heldTime  = 5 * time.Second
)

// Run sends what is kept until ctx ends, which is no error. An error is one of the queue's
// directory; run it again once that is put right.
func (c *Client) Run(ctx context.Context) error {
	if c.queue == nil {
		return errors.New("client: there is no queue: set Config.Queue to a directory")
	}
	for {
		batch, next := c.queue.first(roundRows)
		if len(batch) > 0 {
			if err := c.sendKept(ctx, batch); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if len(batch) > 0 {
			continue
		}

		var later <-chan time.Time
		if !next.IsZero() {
			later = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-later:
		case <-c.queue.wake:
		}
	}
}

// sendKept sends one round.
func (c *Client) sendKept(ctx context.Context, batch []*kept) error {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	events := make([]Event, len(batch))
	for i, k := range batch {
		events[i] = k.event
	}

	var gone []*kept
	var refused []func()
	for i, r := range c.recordBatch(ctx, events) {
		k := batch[i]
		refusal, is := errors.AsType[*Refusal](r.Err)
		switch {
		case r.Err == nil:
			gone = append(gone, k)
		case is && refusal.ofEvent():
			if err := c.queue.refuse(k, refusal); err != nil {
				return fmt.Errorf("client: the queue: %w", err)
			}
			gone = append(gone, k)
			refused = append(refused, func() { c.config.Refused(k.event, refusal) })
		default:
			c.queue.hold(k.event.Subject, heldTime)
		}
	}
	if err := c.queue.drop(gone); err != nil {
		return fmt.Errorf("client: the queue: %w", err)
	}
	for _, k := range gone {
		k.done()
	}
	if c.config.Refused != nil {
		for _, tell := range refused {
			tell()
		}
	}
	return nil
}

// ofEvent reports whether it is the event that is refused, and not whoever sends it: a
// key that was revoked, or has lost its role or its app, makes no event wrong.
func (r *Refusal) ofEvent() bool {
	switch r.Code {
	case "unauthenticated", "forbidden", "unmapped", "unknown-app":
		return false
	}
	return r.Status != 401
}
