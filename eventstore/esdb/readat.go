package esdb

import (
	"context"
	"iter"

	"consentledger/eventstore"
)

// nearby is how many bytes of the log may lie between two records that are read by
// one call.
const nearby = 8 << 10

// ReadAt implements [eventstore.Store].
func (s *Store) ReadAt(ctx context.Context, positions ...eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for len(positions) > 0 {
			if positions[0] == 0 {
				positions = positions[1:]
				continue
			}
			found, rest, err := s.readAt(ctx, positions)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			for _, r := range found {
				if ctx.Err() != nil {
					yield(eventstore.Recorded{}, ctx.Err())
					return
				}
				if !yield(r, nil) {
					return
				}
			}
			positions = rest
		}
	}
}

// readAt reads the records at the first of positions, by one call, and returns
// those that are left.
func (s *Store) readAt(
	ctx context.Context, positions []eventstore.Position,
) (found []eventstore.Recorded, rest []eventstore.Position, err error) {
	n := 1
	for n < len(positions) && n < pageLength && positions[n]-positions[n-1] < nearby {
		n++
	}
	o := s.ofAll([]string{s.prefix}, n)
	from(o, positions[0])
	events, err := s.fetch(ctx, true, o)
	if isOdd(err) {
		return nil, positions[1:], nil // nothing begins there
	}
	if err != nil || len(events) == 0 {
		return nil, nil, err
	}

	for i := range events {
		e := &events[i]
		at := e.at
		for len(positions) > 0 && positions[0] < at {
			positions = positions[1:]
		}
		if len(positions) == 0 || positions[0] != at {
			continue
		}
		r, err := s.record(e)
		if err != nil {
			return found, nil, s.broken(err)
		}
		found, positions = append(found, r), positions[1:]
	}
	return found, positions, nil
}

// readOne reads over l what is at a position, and reports whether anything is.
func (s *Store) readOne(ctx context.Context, l *link, at eventstore.Position) (eventstore.Recorded, bool, error) {
	o := s.ofAll([]string{s.prefix}, 1)
	from(o, at)
	events, err := l.read(ctx, o)
	if isOdd(err) {
		return eventstore.Recorded{}, false, nil
	}
	if err != nil || len(events) == 0 || events[0].at != at {
		return eventstore.Recorded{}, false, err
	}
	r, err := s.record(&events[0])
	return r, err == nil, err
}
