// Package memory keeps records and rows in memory, for tests and
// demonstrations. What it holds is as durable as the process.
package memory

import (
	"context"
	"iter"
	"sync"

	"consentledger/eventstore"
)

var _ eventstore.Store = (*Store)(nil)

// A Store is an [eventstore.Store] that forgets everything when it goes away.
// The zero Store is empty and ready. Its positions are 1, 2, 3 and so on.
type Store struct {
	mu      sync.Mutex
	all     []eventstore.Recorded       // position n is at n-1; an element never changes
	streams map[eventstore.Stream][]int // indexes into all; revision n is at n-1
	more    chan struct{}               // closed by the next Append
}

// Append implements [eventstore.Store].
func (s *Store) Append(
	ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record,
) (eventstore.Position, error) {
	if err := eventstore.CheckBounds(stream, records); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	if actual := eventstore.Revision(len(s.streams[stream])); actual != expected {
		return 0, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
	}
	if s.streams == nil {
		s.streams = make(map[eventstore.Stream][]int)
	}
	for i, r := range records {
		s.streams[stream] = append(s.streams[stream], len(s.all))
		s.all = append(s.all, eventstore.Recorded{
			Record:   r,
			Stream:   stream,
			Revision: expected + eventstore.Revision(i) + 1,
			Position: eventstore.Position(len(s.all)) + 1,
		})
	}
	if s.more != nil {
		close(s.more)
		s.more = nil
	}
	return eventstore.Position(len(s.all)), nil
}

// ReadStream implements [eventstore.Store].
func (s *Store) ReadStream(
	ctx context.Context, stream eventstore.Stream, after eventstore.Revision,
) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		all, line := s.line(stream)
		for _, i := range line[min(after, eventstore.Revision(len(line))):] {
			if err := ctx.Err(); err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			if !yield(all[i], nil) {
				return
			}
		}
	}
}

// ReadAll implements [eventstore.Store].
func (s *Store) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		records, _ := s.since(after)
		for _, r := range records {
			if err := ctx.Err(); err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// ReadAt implements [eventstore.Store].
func (s *Store) ReadAt(ctx context.Context, positions ...eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		records, _ := s.since(0)
		for _, at := range positions {
			if err := ctx.Err(); err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			if at == 0 || at > eventstore.Position(len(records)) {
				continue
			}
			if !yield(records[at-1], nil) {
				return
			}
		}
	}
}

// Follow implements [eventstore.Store].
func (s *Store) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		for {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			records, more := s.since(after)
			if len(records) == 0 {
				select {
				case <-more:
				case <-ctx.Done():
				}
				continue
			}
			// A copy, since the slice is the reader's.
			batch := append([]eventstore.Recorded(nil), records[:min(len(records), eventstore.MaxBatch)]...)
			after = batch[len(batch)-1].Position
			if !yield(batch, nil) {
				return
			}
		}
	}
}

// Head implements [eventstore.Store].
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return eventstore.Position(len(s.all)), ctx.Err()
}

// Barrier implements [eventstore.Store]. A read sees every append that returned
// before it.
func (s *Store) Barrier(ctx context.Context) error { return ctx.Err() }

// line returns all records and where those of stream are among them.
func (s *Store) line(stream eventstore.Stream) ([]eventstore.Recorded, []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all, s.streams[stream]
}

// since returns the records after position and a channel that the next Append
// closes.
func (s *Store) since(after eventstore.Position) ([]eventstore.Recorded, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil {
		s.more = make(chan struct{})
	}
	return s.all[min(after, eventstore.Position(len(s.all))):], s.more
}
