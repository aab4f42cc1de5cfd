package postgres

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"consentledger/eventstore"
)

// Append implements [eventstore.Store]. A name or type that PostgreSQL has no text
// for, being no UTF-8 or holding a zero byte, breaks a bound.
//
// The very same append once more is answered as the first was, also after years.
// When ctx ends before the server has answered, the outcome is unknown, and goes on
// being settled: by sending the same again until the server has answered.
func (s *Store) Append(
	ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record,
) (eventstore.Position, error) {
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

	a := &appending{waiting: newWaiting(ctx), stream: stream, expected: expected, records: records}
	if err := s.queue.bring(&s.server, a); err != nil {
		return 0, err // and a may still be on its way
	}
	return a.last, nil
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
			return fmt.Errorf("stream %s: record %d: type %q: PostgreSQL takes types that are UTF-8 and hold no zero "+
				"byte", stream, i, r.Type)
		}
	}
	return nil
}

// isText reports whether PostgreSQL has a text for s.
func isText(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// An appending is an append on its way. Its last position is set once done is closed.
type appending struct {
	waiting
	stream   eventstore.Stream
	expected eventstore.Revision
	records  []eventstore.Record
	last     eventstore.Position
}

func (a *appending) waiter() *waiting { return &a.waiting }

func (a *appending) subject() string { return "stream " + string(a.stream) }

func (a *appending) size() (n int) {
	for _, r := range a.records {
		n += len(r.Data) + len(r.Type) + len(a.stream) + 64
	}
	return n
}

// Bounds of what is made in one transaction. One write is always taken.
const (
	batchRecords = 2 * eventstore.MaxBatch
	batchBytes   = 8 << 20
)

// newTurn returns what chooses the appends that are made next, of each stream the
// first one that waits: of two on one stream the second depends on the first.
func newTurn() func(*appending) choice {
	streams := make(map[eventstore.Stream]bool)
	records, bytes := 0, 0
	return func(a *appending) choice {
		n, size := len(a.records), a.size()
		if records > 0 && (records+n > batchRecords || bytes+size > batchBytes) {
			return closes
		}
		if streams[a.stream] {
			return waits
		}
		streams[a.stream] = true
		records, bytes = records+n, bytes+size
		return goes
	}
}
