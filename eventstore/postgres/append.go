package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"consentledger/eventstore"
)

// Append implements [eventstore.Store]. A name or type that PostgreSQL has no text
// for, being no UTF-8 or holding a zero byte, breaks a bound.
//
// The very same append once more is answered as the first was, also after years.
// When ctx ends before the server has answered, the outcome is unknown, and goes on
// being settled: by sending the same again until the server has answered.
func (s *Store) Append(ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	if err := eventstore.CheckBounds(stream, records); err != nil {
		return 0, err
	}
	if err := checkText(stream, records); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.Fault(); err != nil {
		return 0, err
	}
	if expected > maxRevision {
		return 0, fmt.Errorf("postgres: stream %s: no stream has %d records", stream, expected)
	}
	ctx, cancel := patient(ctx)
	defer cancel()

	a := &appending{caller: ctx, stream: stream, expected: expected, records: records, done: make(chan struct{})}
	s.queue.add(a)
	select {
	case <-a.done:
		return a.last, a.err
	case <-ctx.Done():
		return 0, fmt.Errorf("postgres: stream %s: %w: %w", stream, s.queue.why(a), ctx.Err())
	case <-s.life.Done():
		return 0, ErrClosed
	}
}

// maxRevision is far beyond what a stream can hold, and far from where integers
// overflow.
const maxRevision = 1 << 62

func checkText(stream eventstore.Stream, records []eventstore.Record) error {
	if !isText(string(stream)) {
		return fmt.Errorf("stream %q: PostgreSQL takes names that are UTF-8", stream)
	}
	for i, r := range records {
		if !isText(r.Type) {
			return fmt.Errorf("stream %s: record %d: type %q: PostgreSQL takes types that are UTF-8 and hold no zero byte", stream, i, r.Type)
		}
	}
	return nil
}

// isText reports whether PostgreSQL has a text for s.
func isText(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// An appending is an append on its way. Its last fields are set once done is closed.
type appending struct {
	caller   context.Context
	stream   eventstore.Stream
	expected eventstore.Revision
	records  []eventstore.Record

	doubt bool  // an earlier attempt may have been carried out, or may be yet
	tried error // why the last attempt failed

	done chan struct{}
	last eventstore.Position
	err  error
}

func (a *appending) size() (n int) {
	for _, r := range a.records {
		n += len(r.Data) + len(r.Type) + len(a.stream) + 64
	}
	return n
}

// A queue holds the appends that wait, in their order.
type queue struct {
	mu      sync.Mutex
	waiting []*appending
	arrived chan struct{} // holds one if there may be some
}

func (q *queue) add(a *appending) {
	q.mu.Lock()
	q.waiting = append(q.waiting, a)
	q.mu.Unlock()
	signal(q.arrived)
}

// gather gives callers who were just answered the time to come again, up to half a
// millisecond: else the first of them would be alone in the next transaction, and
// the others wait for it.
func (q *queue) gather(n int) {
	if n == 1 {
		return
	}
	timer := time.NewTimer(500 * time.Microsecond)
	defer timer.Stop()
	for {
		q.mu.Lock()
		have := len(q.waiting)
		q.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-q.arrived:
		case <-timer.C:
			return
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Bounds of what is made in one transaction. One append is always taken.
const (
	batchRecords = 2 * eventstore.MaxBatch
	batchBytes   = 8 << 20
)

// take returns the appends that are made next, of each stream the first one that
// waits: of two on one stream the second depends on the first. Those whose callers
// are gone are left out, for nothing of them was sent.
func (q *queue) take() (batch []*appending) {
	q.mu.Lock()
	defer q.mu.Unlock()
	streams := make(map[eventstore.Stream]bool, len(q.waiting))
	records, bytes := 0, 0
	left := q.waiting[:0]
	for i, a := range q.waiting {
		if a.caller.Err() != nil {
			continue
		}
		n, size := len(a.records), a.size()
		if len(batch) > 0 && (records+n > batchRecords || bytes+size > batchBytes) {
			left = append(left, q.waiting[i:]...)
			break
		}
		if streams[a.stream] {
			left = append(left, a)
			continue
		}
		streams[a.stream] = true
		batch = append(batch, a)
		records, bytes = records+n, bytes+size
	}
	clear(q.waiting[len(left):])
	q.waiting = left
	return batch
}

// failed remembers why an attempt failed, and whether it may have been carried out
// all the same.
func (q *queue) failed(batch []*appending, err error, doubt bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range batch {
		a.tried = err
		a.doubt = a.doubt || doubt
	}
}

// why says what is known of an append whose caller does not wait for it any more.
func (q *queue) why(a *appending) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if a.tried != nil {
		return fmt.Errorf("nobody knows yet what became of the append; the last attempt: %w", a.tried)
	}
	return errors.New("nobody knows yet what became of the append")
}
