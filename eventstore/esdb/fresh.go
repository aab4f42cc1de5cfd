package esdb

import (
	"context"
	"iter"
	"time"

	"google.golang.org/grpc/metadata"

	"consentledger/eventstore"
)

var _ eventstore.Fresh = (*Store)(nil)

// ReadFresh implements [eventstore.Fresh]. Who asks alone, and knows some records of
// the stream, has the node acknowledge that these are all: by an append of no events
// to the stream itself, with their number as what is expected. That is a barrier too,
// and costs one round trip instead of two. It leaves no event either, and as many
// bytes in the server's log as a barrier. Who asks while others do shares their
// barrier, and reads; so does whoever knows no record, since there will be some.
//
// Once history was changed no stream is asked: an append of no events too makes one
// that somebody deleted anew.
func (s *Store) ReadFresh(
	ctx context.Context, stream eventstore.Stream, after eventstore.Revision,
) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if after > 0 && s.Fault() == nil && s.asks.alone(s.every) {
			whole := s.isWhole(ctx, stream, after)
			s.asks.parted()
			if whole {
				return
			}
		}
		if err := s.Barrier(ctx); err != nil {
			yield(eventstore.Recorded{}, err)
			return
		}
		for r, err := range s.ReadStream(ctx, stream, after) {
			if !yield(r, err) {
				return
			}
		}
	}
}

// alone reports whether one reader may ask the server by himself: nobody else asks,
// and it may be asked now. He takes the turn then.
func (q *questions) alone(every time.Duration) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if q.busy || q.lone || len(q.waiting) > 0 || now.Before(q.next) {
		return false
	}
	q.lone, q.next = true, now.Add(every)
	return true
}

func (q *questions) parted() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lone = false
}

// isWhole reports whether a node with a quorum has acknowledged that a stream holds
// so many records and no more. If it has not, nothing is known: a refusal takes no
// quorum. Barriers that were waited for before are answered by the way.
func (s *Store) isWhole(ctx context.Context, stream eventstore.Stream, length eventstore.Revision) bool {
	ctx, cancel := context.WithTimeout(ctx, s.address.deadline)
	defer cancel()
	l, err := s.link(ctx)
	if err != nil {
		return false
	}
	call, end := l.call(ctx)
	defer end()

	began := s.asks.began()
	var trailer metadata.MD
	answer, err := appendOnce(call, l, &trailer, expecting(s.nameOf(stream), length), nil)
	if err != nil || !readAnswer(answer).stored {
		return false // if the node is to blame, the barrier finds out
	}
	if s.isCurrent(l) {
		s.asks.answer(began)
	}
	return true
}
