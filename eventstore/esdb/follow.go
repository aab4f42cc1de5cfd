package esdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"consentledger/eventstore"
)

// Follow implements [eventstore.Store]. It outlasts nodes and connections. What is
// there and what comes arrive by one subscription, which is as fast as its reader.
//
// A subscription begins behind whatever is there now. So the last record is read
// where it was before one is opened, and once more when its first event has come,
// which is kept back until then: what is there afterwards was there when it began. If
// it is not the same, Follow ends with a [*FaultError].
//
// A subscription that its follower leaves behind the last record it was given
// stays open for a while: whoever follows from there next goes on with it.
func (s *Store) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		f := &follower{store: s, next: place{at: after}, tail: s.unpark(after)}
		if f.tail != nil {
			f.next = f.tail.given
		}
		defer f.leave()
		for {
			batch, err := f.batch(ctx)
			if len(batch) > 0 && !yield(batch, nil) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// A follower is one call of Follow.
type follower struct {
	store *Store
	next  place // behind which it goes on
	known bool  // that place was looked at
	tail  *tail // nil: there is no subscription
	tries int
}

// batch waits for what comes next.
func (f *follower) batch(ctx context.Context) ([]eventstore.Recorded, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if f.tail == nil {
			page, err := f.subscribe(ctx)
			if len(page) > 0 || err != nil {
				return page, err
			}
			continue
		}
		batch, err := f.tail.take(ctx)
		if len(batch) > 0 {
			f.next, f.tries = f.tail.given, 0
			return batch, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		f.tail.close()
		f.tail = nil
		if err := f.over(ctx, err); err != nil {
			return nil, err
		}
	}
}

// subscribe looks at the place behind which it goes on, and subscribes to what comes
// behind it. It returns what it read on the way.
func (f *follower) subscribe(ctx context.Context) ([]eventstore.Recorded, error) {
	s := f.store
	l, err := s.link(ctx)
	if err != nil {
		return nil, f.over(ctx, err)
	}
	page, end, _, err := s.pageAfter(ctx, f.next)
	if err != nil {
		return page, f.over(ctx, err)
	}
	if err := f.reaches(ctx, len(page), end); err != nil {
		return nil, f.over(ctx, err)
	}
	if end.at > 0 && end.id == [16]byte{} {
		// Nothing begins there. It goes on behind what does.
		if end, err = s.before(ctx, end.at); err != nil {
			return nil, f.over(ctx, err)
		}
	}

	f.next = end
	if len(page) > 0 {
		f.tries = 0
		last := page[len(page)-1]
		s.see(last.Position, last.ID)
	}
	f.tail, err = s.subscribe(l, end)
	return page, f.over(ctx, err)
}

// reaches returns an error if the store ends before the place that the follower
// was told to begin at.
func (f *follower) reaches(ctx context.Context, n int, end place) error {
	if f.known {
		return nil
	}

	f.known = true
	if f.next.at == 0 || n > 0 || end.at == f.next.at && end.id != [16]byte{} {
		return nil
	}
	if err := f.store.Barrier(ctx); err != nil {
		f.known = false
		return err
	}

	head, err := f.store.Head(ctx)
	if err != nil || head >= f.next.at {
		f.known = err == nil
		return err
	}

	return f.store.broken(fmt.Errorf("it ends at position %d, and is followed from %d: was an old copy of the "+
		"database put in place?", head, f.next.at))
}

// over returns the error that ends the follower. After those that are ordinary it
// waits a moment, and returns nil.
func (f *follower) over(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, is := errors.AsType[*FaultError](err); is || errors.Is(err, ErrClosed) || isShut(err) {
		return err
	}
	if !pause(ctx, f.tries, 10*time.Millisecond) {
		return ctx.Err()
	}
	f.tries++
	return nil
}

// leave keeps the subscription for whoever comes next, if it is good.
func (f *follower) leave() {
	if f.tail != nil {
		f.store.park(f.tail)
	}
}

// mostParked is how many subscriptions go on without a follower, and parkedFor how
// long.
const (
	mostParked = 4
	parkedFor  = 30 * time.Second
)

// park keeps a subscription.
func (s *Store) park(t *tail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil || !t.isOpen() {
		t.close()
		return
	}
	if len(s.parked) == mostParked {
		s.parked[0].close()
		s.parked = slices.Delete(s.parked, 0, 1)
	}
	t.expires = time.AfterFunc(parkedFor, func() { s.expire(t) })
	s.parked = append(s.parked, t)
}

// unpark takes a subscription that was left at a position, nil if there is none.
func (s *Store) unpark(at eventstore.Position) *tail {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.parked, func(t *tail) bool { return t.given.at == at })
	if i < 0 {
		return nil
	}
	t := s.parked[i]
	s.parked = slices.Delete(s.parked, i, i+1)
	t.expires.Stop()
	return t
}

func (s *Store) expire(t *tail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.parked, t); i >= 0 {
		s.parked = slices.Delete(s.parked, i, i+1)
		t.close()
	}
}
