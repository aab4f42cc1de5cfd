package postgres

import (
	"context"
	"fmt"
	"sync"
)

// Questions are the barriers that are waited for.
type questions struct {
	mu      sync.Mutex
	waiting map[chan error]bool
	busy    bool  // somebody asks the server
	last    error // why it did not answer
}

// ask adds a question, and reports whether the caller has to see to it that the
// server is asked.
func (q *questions) ask() (mine chan error, first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting == nil {
		q.waiting = make(map[chan error]bool)
	}
	mine = make(chan error, 1)
	q.waiting[mine] = true
	first, q.busy = !q.busy, true
	return mine, first
}

// asked returns the questions that there are by now; without any the asking ends.
func (q *questions) asked() (all []chan error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for c := range q.waiting {
		all = append(all, c)
	}
	q.busy = len(all) > 0
	return all
}

func (q *questions) answer(to []chan error, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last = err
	for _, c := range to {
		if q.waiting[c] {
			c <- err
			delete(q.waiting, c)
		}
	}
}

// failed remembers why the server did not answer.
func (q *questions) failed(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last = err
}

// withdraw takes a question back that nobody waits for any more, and returns why it
// was not answered.
func (q *questions) withdraw(mine chan error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, mine)
	return q.last
}

// Barrier implements [eventstore.Store]: the server says that it is the primary,
// which every connection was asked when it was made, and a primary does not become
// a standby without ending its connections. Reads that begin afterwards go to this
// server or to one that took over from it. All who wait share one question.
//
// A primary that was replaced and runs on says so, too: it is for the operator to
// fence it. Once history was changed no barrier is passed any more.
func (s *Store) Barrier(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.Fault(); err != nil {
		return err
	}

	ctx, cancel := patient(ctx)
	defer cancel()
	mine, first := s.asks.ask()
	if first && !s.spawn(s.askServer) {
		return ErrClosed
	}

	select {
	case err := <-mine:
		return err
	case <-ctx.Done():
		return fmt.Errorf("postgres: no primary has answered the barrier: %w", timely(ctx, s.asks.withdraw(mine)))
	case <-s.life.Done():
		return ErrClosed
	}
}

// askServer asks until nobody waits.
func (s *Store) askServer() {
	tries := 0
	for all := s.asks.asked(); len(all) > 0 && s.life.Err() == nil; all = s.asks.asked() {
		err := s.isPrimary()
		if err == nil {
			err = s.Fault()
		}
		if err == nil || isFinal(err) {
			s.asks.answer(all, err)
			tries = 0
			continue
		}
		s.asks.failed(err)
		pause(s.life, tries)
		tries++
	}
}
