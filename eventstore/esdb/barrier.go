package esdb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"

	"consentledger/eventstore"
)

// Questions are the barriers that are waited for. All that were asked before
// something began are answered by its success, if the node that acknowledged it
// is the one that reads go to.
type questions struct {
	mu      sync.Mutex
	asked   uint64     // how many were asked
	waiting []question // in their order
	busy    bool       // somebody asks the server
	lone    bool       // somebody asks it for himself: see [Store.ReadFresh]
	next    time.Time  // when the server may be asked again
}

type question struct {
	n    uint64
	done chan error
}

// began returns how many questions had been asked by now.
func (q *questions) began() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.asked
}

// ask adds a question, and reports whether the caller has to see to it that the
// server is asked.
func (q *questions) ask() (mine question, first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked++
	mine = question{q.asked, make(chan error, 1)}
	q.waiting = append(q.waiting, mine)
	first = !q.busy
	q.busy = true
	return mine, first
}

// answer answers the first n questions.
func (q *questions) answer(n uint64) { q.end(n, nil) }

func (q *questions) end(n uint64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 && q.waiting[0].n <= n {
		q.waiting[0].done <- err
		q.waiting = q.waiting[1:]
	}
}

// withdraw takes a question back that nobody waits for any more.
func (q *questions) withdraw(mine question) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range q.waiting {
		if w.n == mine.n {
			q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
			return
		}
	}
}

// rest reports whether nobody waits, and then ends the asking.
func (q *questions) rest() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.busy = false
	}
	return !q.busy
}

// Barrier implements [eventstore.Store], by an append of no events to a stream
// that never exists, with what is expected of such a stream. A leader that was
// replaced and does not know it cannot acknowledge one. It leaves no event, but
// some 110 bytes of the server's log for good, so all who ask share one, and
// there is at most one per [Options.BarrierEvery]. An append of this store's own
// that begins after the question and is acknowledged answers it as well.
func (s *Store) Barrier(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}

	ctx, cancel := patient(ctx)
	defer cancel()
	mine, first := s.asks.ask()
	if first && !s.spawn(s.askServer) {
		s.asks.end(mine.n, ErrClosed)
	}

	select {
	case err := <-mine.done:
		return err
	case <-ctx.Done():
		s.asks.withdraw(mine)
		return fmt.Errorf("esdb: no quorum has answered the barrier: %w", s.noLeader(ctx))
	case <-s.life.Done():
		return ErrClosed
	}
}

// turn waits until the server may be asked again.
func (q *questions) turn(ctx context.Context, every time.Duration) {
	q.mu.Lock()
	wait := time.Until(q.next)
	q.next = time.Now().Add(max(wait, 0) + every)
	q.mu.Unlock()
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// askServer asks until nobody waits.
func (s *Store) askServer() {
	for tries := 0; !s.asks.rest() && s.life.Err() == nil; {
		s.asks.turn(s.life, s.every)
		began := s.asks.began()
		l, err := s.link(s.life)
		if err == nil {
			err = s.prove(l)
		}
		switch {
		case err == nil:
			tries = 0
			if s.isCurrent(l) {
				s.asks.answer(began)
			}
		case isShut(err) || s.life.Err() != nil:
			s.asks.end(began, err)
		default:
			pause(s.life, tries, s.every)
			tries++
		}
	}
}

// prove has the node of l acknowledge an append of no events. If it does not,
// another node is looked for.
func (s *Store) prove(l *link) error {
	ctx, cancel := context.WithTimeout(l.context, s.address.deadline)
	defer cancel()
	err := s.question(ctx, l)
	if err == nil {
		return nil
	}
	r, _ := errors.AsType[refusal](err)
	s.drop(l, r.leader)
	return err
}

// question makes an append of no events. Its error is a [refusal]. Should somebody
// have written where nobody does, what is expected there is what they left.
func (s *Store) question(ctx context.Context, l *link) error {
	call, cancel := l.call(ctx)
	defer cancel()
	for {
		length := eventstore.Revision(s.neverLength.Load())
		var trailer metadata.MD
		answer, err := appendOnce(call, l, &trailer, expecting([]byte(s.neverStream), length), nil)
		if err != nil {
			return readRefusal(err, trailer)
		}
		r := readAnswer(answer)
		if r.stored {
			return nil
		}
		if r.length == length {
			return refusal{err: fmt.Errorf("the server expects what it refuses, %d events of %s", length,
				s.neverStream)}
		}
		s.neverLength.Store(uint64(r.length))
	}
}
