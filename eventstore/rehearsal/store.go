// Package rehearsal lets everything be tried that a ledger does, and keeps none of it.
//
// A [Store] and [Rows] stand over others, which they read and never write. What is
// appended and changed is in their own memory, where whoever reads through them finds
// it, until they are dropped. So a rehearsal runs the code that the real thing runs,
// with the same conflicts and the same conditions.
//
// It is for one request, and small: it holds all that is written, and looks through it.
package rehearsal

import (
	"context"
	"iter"
	"slices"
	"sync"

	"consentledger/eventstore"
)

var _ eventstore.Store = (*Store)(nil)

// A Store is an [eventstore.Store] whose records are those of another one, and what was
// appended to it.
type Store struct {
	under eventstore.Store

	mu    sync.Mutex
	after eventstore.Position // where the log ended when the first record was appended
	own   []eventstore.Recorded
	more  chan struct{} // closed at the next append
}

// Over returns a Store over another one.
func Over(under eventstore.Store) *Store { return &Store{under: under, more: make(chan struct{})} }

// Appended returns what was appended, in its order.
func (s *Store) Appended() []eventstore.Recorded {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.own)
}

// Append implements [eventstore.Store]. What it appends is durable nowhere.
func (s *Store) Append(
	ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record,
) (eventstore.Position, error) {
	if err := eventstore.CheckBounds(stream, records); err != nil {
		return 0, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	actual, err := s.length(ctx, stream)
	if err != nil {
		return 0, err
	}
	if actual != expected {
		return 0, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
	}

	if len(s.own) == 0 {
		if s.after, err = s.under.Head(ctx); err != nil {
			return 0, err
		}
	}
	for _, r := range records {
		expected++
		s.own = append(s.own, eventstore.Recorded{
			Record: r, Stream: stream, Revision: expected,
			Position: s.after + eventstore.Position(len(s.own)) + 1,
		})
	}
	close(s.more)
	s.more = make(chan struct{})
	return s.own[len(s.own)-1].Position, nil
}

// length returns how many records a stream holds.
func (s *Store) length(ctx context.Context, stream eventstore.Stream) (eventstore.Revision, error) {
	for _, r := range slices.Backward(s.own) {
		if r.Stream == stream {
			return r.Revision, nil
		}
	}

	length := eventstore.Revision(0)
	for r, err := range s.under.ReadStream(ctx, stream, 0) {
		if err != nil {
			return 0, err
		}
		length = r.Revision
	}
	return length, nil
}

// appended returns what was appended to a stream, as far as it comes after a revision,
// and the revision of the first that was; zero: none was.
func (s *Store) appended(
	stream eventstore.Stream, after eventstore.Revision,
) (own []eventstore.Recorded, first eventstore.Revision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.own {
		if r.Stream != stream {
			continue
		}
		if first == 0 {
			first = r.Revision
		}
		if r.Revision > after {
			own = append(own, r)
		}
	}
	return own, first
}

// ReadStream implements [eventstore.Store]. What others append to a stream after this
// one's own records are on it is not seen.
func (s *Store) ReadStream(
	ctx context.Context, stream eventstore.Stream, after eventstore.Revision,
) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		own, first := s.appended(stream, after)
		for r, err := range s.under.ReadStream(ctx, stream, after) {
			if err == nil && first != 0 && r.Revision >= first {
				break
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		for _, r := range own {
			if !yieldOwn(ctx, yield, r) {
				return
			}
		}
	}
}

// ReadAll implements [eventstore.Store]: the other store's records, then those that were
// appended.
func (s *Store) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		own := s.Appended()
		for r, err := range s.under.ReadAll(ctx, after) {
			if err == nil && len(own) > 0 && r.Position >= own[0].Position {
				break
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		for _, r := range own {
			if r.Position > after && !yieldOwn(ctx, yield, r) {
				return
			}
		}
	}
}

// ReadAt implements [eventstore.Store].
func (s *Store) ReadAt(ctx context.Context, positions ...eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		own := s.Appended()
		under := positions
		if len(own) > 0 {
			i, _ := slices.BinarySearch(positions, own[0].Position)
			under = positions[:i]
		}

		for r, err := range s.under.ReadAt(ctx, under...) {
			if !yield(r, err) || err != nil {
				return
			}
		}
		for _, r := range own {
			if _, wanted := slices.BinarySearch(positions, r.Position); wanted && !yieldOwn(ctx, yield, r) {
				return
			}
		}
	}
}

// yieldOwn yields a record of the rehearsal, or that ctx is done.
func yieldOwn(ctx context.Context, yield func(eventstore.Recorded, error) bool, r eventstore.Recorded) bool {
	if err := ctx.Err(); err != nil {
		yield(eventstore.Recorded{}, err)
		return false
	}
	return yield(r, nil)
}

// Follow implements [eventstore.Store]. For what others append to the other store it does
// not wait.
func (s *Store) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		for {
			s.mu.Lock()
			more := s.more
			s.mu.Unlock()

			var slice []eventstore.Recorded
			for r, err := range s.ReadAll(ctx, after) {
				if err != nil {
					yield(nil, err)
					return
				}
				if slice = append(slice, r); len(slice) == eventstore.MaxBatch {
					break
				}
			}

			if len(slice) > 0 {
				if !yield(slice, nil) {
					return
				}
				after = slice[len(slice)-1].Position
				continue
			}
			select {
			case <-more:
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// Head implements [eventstore.Store].
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	if own := s.Appended(); len(own) > 0 {
		return own[len(own)-1].Position, nil
	}
	return s.under.Head(ctx)
}

// Barrier implements [eventstore.Store].
func (s *Store) Barrier(ctx context.Context) error { return s.under.Barrier(ctx) }
