package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A waiting is what is known of a write on its way. Its error is set once done is
// closed.
type waiting struct {
	caller context.Context
	doubt  bool  // an earlier attempt may have been carried out, or may be yet
	tried  error // why the last attempt failed

	done chan struct{}
	err  error
}

func newWaiting(caller context.Context) waiting {
	return waiting{caller: caller, done: make(chan struct{})}
}

func (w *waiting) end(err error) {
	w.err = err
	close(w.done)
}

// A write is a waiting with what is to be written.
type write interface {
	waiter() *waiting
	subject() string // for errors
}

// A choice says whether a write is made in a transaction.
type choice int

const (
	goes   choice = iota // it is
	waits                // it has to come after those that are
	closes               // there is no room for it, nor for those behind it
)

// A queue holds the writes that wait, in their order.
type queue[T write] struct {
	turn    func() func(T) choice // chooses those of one transaction, one after the other
	arrived chan struct{}         // holds one if there may be some

	mu      sync.Mutex
	waiting []T
}

func newQueue[T write](turn func() func(T) choice) *queue[T] {
	return &queue[T]{turn: turn, arrived: make(chan struct{}, 1)}
}

// bring adds a write, and returns once its outcome is known or its caller is gone.
func (q *queue[T]) bring(s *server, a T) error {
	q.mu.Lock()
	q.waiting = append(q.waiting, a)
	q.mu.Unlock()
	signal(q.arrived)

	w := a.waiter()
	select {
	case <-w.done:
		return w.err
	case <-w.caller.Done():
		return fmt.Errorf("postgres: %s: %w: %w", a.subject(), q.why(w), w.caller.Err())
	case <-s.life.Done():
		return ErrClosed
	}
}

// gather gives callers who were just answered the time to come again, up to half a
// millisecond: else the first of them would be alone in the next transaction, and
// the others wait for it.
func (q *queue[T]) gather(n int) {
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

// take returns the writes that are made next, in one transaction. Those whose callers
// are gone are left out, for nothing of them was sent.
func (q *queue[T]) take() (batch []T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	choose := q.turn()
	left := q.waiting[:0]
	for i, a := range q.waiting {
		if a.waiter().caller.Err() != nil {
			continue
		}
		switch choose(a) {
		case goes:
			batch = append(batch, a)
			continue
		case waits:
			left = append(left, a)
			continue
		case closes:
		}
		left = append(left, q.waiting[i:]...)
		break
	}

	clear(q.waiting[len(left):])
	q.waiting = left
	return batch
}

// failed remembers why an attempt failed, and whether it may have been carried out
// all the same.
func (q *queue[T]) failed(batch []T, err error, doubt bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range batch {
		w := a.waiter()
		w.tried = err
		w.doubt = w.doubt || doubt
	}
}

// why says what is known of a write whose caller does not wait for it any more.
func (q *queue[T]) why(w *waiting) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.tried != nil {
		return fmt.Errorf("nobody knows yet what became of it; the last attempt: %w", w.tried)
	}
	return errors.New("nobody knows yet what became of it")
}

// leave ends the writes whose callers are gone and of which nothing was carried out
// for certain.
func leave[T write](batch []T) (left []T) {
	for _, a := range batch {
		w := a.waiter()
		if err := w.caller.Err(); err != nil && !w.doubt {
			w.end(err)
			continue
		}
		left = append(left, a)
	}
	return left
}

// giveUp ends the writes of which nothing was carried out for certain, and returns
// the others.
func giveUp[T write](batch []T, err error) (left []T) {
	for _, a := range batch {
		w := a.waiter()
		if w.doubt {
			left = append(left, a)
			continue
		}
		w.end(fmt.Errorf("postgres: %s: nothing was written: %w", a.subject(), err))
	}
	return left
}

func end[T write](batch []T, err error) []T {
	for _, a := range batch {
		a.waiter().end(err)
	}
	return nil
}
