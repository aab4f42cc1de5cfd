package esdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"consentledger/eventstore"
)

// Append implements [eventstore.Store]. Records of together more than a megabyte
// break a bound, and so does a name or type that is not UTF-8.
//
// When ctx ends before the server has answered, the outcome is unknown, and goes
// on being settled: by sending the same again, until it is stored or somebody
// else's append is.
func (s *Store) Append(
	ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record,
) (eventstore.Position, error) {
	if err := eventstore.CheckBounds(stream, records); err != nil {
		return 0, err
	}

	events, err := s.events(stream, expected, records)
	if err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.Fault(); err != nil {
		return 0, err
	}

	ctx, cancel := patient(ctx)
	defer cancel()
	s.imported.forget()
	a := &appending{store: s, caller: ctx, stream: stream, expected: expected, records: records, events: events,
		done: make(chan struct{})}
	return a.bring(ctx)
}

// bring has an append settled, and waits for that, as long as the caller does.
func (a *appending) bring(ctx context.Context) (eventstore.Position, error) {
	s := a.store
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		a.certain()
		return 0, fmt.Errorf("esdb: stream %s: nothing was written, %d appends are on their way: %w", a.stream,
			maxAppends, ctx.Err())
	}

	if !s.spawn(a.settle) {
		a.certain()
		<-s.slots
		return 0, ErrClosed
	}
	select {
	case <-a.done:
		return a.last, a.err
	case <-ctx.Done():
		return 0, fmt.Errorf("esdb: stream %s: nobody knows yet what became of the append: %w", a.stream, ctx.Err())
	}
}

// certain takes an append from those of which nobody knows: it is not tried any more.
func (a *appending) certain() {
	if a.doubt {
		a.store.doubtful.Add(-1)
	}
}

// An appending is an append on its way. Its last fields are set once done is closed.
type appending struct {
	store    *Store
	caller   context.Context
	stream   eventstore.Stream
	expected eventstore.Revision
	records  []eventstore.Record
	events   []event

	doubt     bool // an earlier attempt may have been carried out, or may be yet
	malformed int  // how often the server has made nothing of it
	shutSince time.Time

	done chan struct{}
	last eventstore.Position
	err  error
}

// settle sends the append until its outcome is known.
func (a *appending) settle() {
	defer func() {
		a.certain()
		<-a.store.slots
		close(a.done)
	}()
	for tries := 0; ; tries++ {
		if over := a.attempt(tries); over {
			return
		}
		if !pause(a.context(), tries, 10*time.Millisecond) && !a.goesOn() {
			return
		}
	}
}

// context is that of the caller as long as nothing was written for certain: then
// the append may be given up. Else it is that of the store.
func (a *appending) context() context.Context {
	if a.doubt {
		return a.store.life
	}
	return a.caller
}

// goesOn reports whether the append is tried again, and says why not.
func (a *appending) goesOn() bool {
	switch {
	case a.store.life.Err() != nil:
		a.err = ErrClosed
	case a.doubt || a.caller.Err() == nil:
		return true
	default:
		a.err = fmt.Errorf("esdb: stream %s: nothing was written: %w", a.stream, a.caller.Err())
	}
	return false
}

// attempt sends the append once, and reports whether that was the last time.
func (a *appending) attempt(tries int) (over bool) {
	if !a.goesOn() {
		return true
	}
	s := a.store
	l, err := s.link(a.context())
	if err != nil {
		a.err = err
		return !a.doubt || s.life.Err() != nil
	}

	began, highest, sure := s.asks.began(), s.highest.Load(), tries == 0 && s.doubtful.Load() == 0
	r := l.send(s.life, a)
	if r.err != nil {
		return a.refused(l, r.err, tries)
	}
	if !r.stored {
		return a.lost(l, r)
	}
	if err := a.stored(r); err != nil {
		return true
	}
	// Only what this attempt has written speaks for a quorum now: what was stored
	// before is said to be stored by a leader without one too.
	if sure && uint64(a.last) > highest && s.isCurrent(l) {
		s.asks.answer(began)
	}
	return true
}

// stored ends the append, whose records are there.
func (a *appending) stored(r reply) error {
	if want := a.expected + eventstore.Revision(len(a.records)); r.length != want || r.position == 0 {
		a.err = a.store.broken(fmt.Errorf("stream %s takes an append on revision %d, but cannot be read there: was "+
			"it deleted?", a.stream, a.expected))
		return a.err
	}
	a.last, a.err = r.position, nil
	a.store.see(r.position, a.records[len(a.records)-1].ID)
	return nil
}

// refused makes of an error what it means.
func (a *appending) refused(l *link, err error, tries int) (over bool) {
	s := a.store
	r, is := errors.AsType[refusal](err)
	if !is {
		r = refusal{err: err}
	}

	a.err = fmt.Errorf("esdb: stream %s: %w", a.stream, r)
	switch r.means {
	case unknown, malformed:
		if !a.doubt {
			a.doubt = true
			s.doubtful.Add(1)
		}
		if r.means == malformed {
			a.malformed++
		}
		// One that has no answer for long, or twice, has another node looked for.
		if tries > 0 || !l.alive() || errors.Is(r.err, context.DeadlineExceeded) {
			s.drop(l, "")
		}
		return a.malformed >= mostMalformed
	case later:
		s.drop(l, r.leader)
	case shut:
		if a.shutSince.IsZero() {
			a.shutSince = time.Now()
		}
		return time.Since(a.shutSince) > shutUntil && !a.doubt
	case gone:
		a.err = s.broken(fmt.Errorf("stream %s was deleted for good by somebody", a.stream))
		return true
	case denied, invalid:
		return true
	}
	return false
}

// mostMalformed is how often an append is sent to which the server answers that
// something went wrong: what it cannot serve it answers so each time.
const mostMalformed = 5

// shutUntil is how long user and password are sent again that are not known: a
// change of them takes up to two seconds.
const shutUntil = 2500 * time.Millisecond

// lost looks at the stream of an append that was answered with a conflict. It is
// one only if what stands there can be read: servers were seen to refuse because of
// what nobody could read, and what was gone later.
func (a *appending) lost(l *link, r reply) (over bool) {
	s := a.store
	ctx, cancel := context.WithTimeout(s.life, s.address.deadline) // a caller who leaves is no fault of the node
	defer cancel()
	there, length, err := s.tail(ctx, l, a.stream, a.expected, len(a.records))
	if err != nil {
		a.err = err
		if _, is := errors.AsType[*FaultError](err); is {
			return true
		}
		s.blame(l, err)
		return false
	}
	if a.same(there) {
		a.last = there[len(there)-1].Position
		s.see(a.last, a.records[len(a.records)-1].ID)
		a.err = nil
		return true
	}

	a.err = &eventstore.ConflictError{Stream: a.stream, Expected: a.expected, Actual: length}
	if length > a.expected {
		return true
	}
	return length < a.expected && length == r.length
}

// same reports whether the records of a are those that stand where it puts them.
func (a *appending) same(there []eventstore.Recorded) bool {
	if len(there) != len(a.records) {
		return false
	}
	for i, r := range there {
		mine := a.records[i]
		if r.ID != mine.ID || r.Type != mine.Type || string(r.Data) != string(mine.Data) {
			return false
		}
	}
	return a.doubt // what was there before is for the server to know
}
