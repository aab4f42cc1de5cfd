// Package eventstore keeps records in order and forgets none.
//
// It knows bytes and order, not consents. Its backends (embedded, esdb, postgres,
// memory) are told apart by nothing but speed: storetest holds all of them to
// the comments on [Store].
package eventstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
)

// A Stream names one line of history, as in "subject-smartkey-7f0c...". It
// holds no zero byte and is at most 200 bytes long.
type Stream string

// A Revision is how many records a stream holds. Zero: it does not exist yet.
type Revision uint64

// A Position is a record's place among all records. Positions grow, but may
// leave gaps. Zero is the place before the first.
type Position uint64

// An EventID names a record for ever. It has the size and the text form of a
// UUID, which is what EventStoreDB wants. Zero names no record.
type EventID [16]byte

// String returns the form "01234567-89ab-cdef-0123-456789abcdef" that
// [ParseEventID] reads.
func (id EventID) String() string {
	b := id.text()
	return string(b[:])
}

// Append appends what String returns.
func (id EventID) Append(b []byte) []byte {
	text := id.text()
	return append(b, text[:]...)
}

func (id EventID) text() (b [36]byte) {
	hex.Encode(b[0:8], id[0:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:36], id[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return b
}

// ParseEventID reads what [EventID.String] writes, and nothing else.
func ParseEventID(s string) (EventID, error) {
	var id EventID
	if len(s) == 36 {
		var digits [32]byte
		plain := append(append(append(append(append(digits[:0], s[0:8]...), s[9:13]...), s[14:18]...), s[19:23]...),
			s[24:36]...)
		if _, err := hex.Decode(id[:], plain); err == nil && id.text() == [36]byte([]byte(s)) {
			return id, nil
		}
	}
	return EventID{}, fmt.Errorf("event id %q: want lower-case hex as in 01234567-89ab-cdef-0123-456789abcdef", s)
}

// MaxData is the largest record that a [Store] takes, in bytes. It is the
// largest entry of a C2SP tlog-tiles bundle.
const MaxData = 65535

// MaxBatch is how many records [Store.Append] takes and [Store.Follow] yields
// at once.
const MaxBatch = 1000

// A Record is what a caller hands to [Store.Append].
type Record struct {
	ID   EventID
	Type string // name and version, as in "consent.given.v1"; at most 100 bytes
	Data []byte // stored, returned and hashed as it is; the store keeps it: do not change it afterwards
}

// A Recorded is a Record that the store has taken. Its Data is the reader's to
// keep, but not to change.
type Recorded struct {
	Record
	Stream   Stream
	Revision Revision // the stream's length once this record was in it
	Position Position
}

// A Mark is a record that was there, and where. The zero Mark is none.
type Mark struct {
	Position Position
	ID       EventID
}

// A Store keeps streams of records. Its methods may be called concurrently.
//
// Readers see a record only once it is durable.
type Store interface {
	// Append adds records to the end of stream, all or none, provided that
	// the stream holds exactly expected records; if not, it returns a
	// [*ConflictError], and the records that won are durable by then. When
	// Append returns nil the records survive a crash. When it returns any
	// other error, ctx's included, they may or may not be there, and the
	// caller must read the stream to know. It returns the last position.
	// Records that break a bound of this package are an error that says
	// which, and nothing is written.
	//
	// Of appends that differ in anything one wins, also if their records have
	// the same ids. The very same append once more may be answered as the
	// first was instead of as a conflict: what it brings is there, once.
	Append(ctx context.Context, stream Stream, expected Revision, records ...Record) (Position, error)

	// ReadStream yields the records of stream that come after revision, in
	// order, then stops. A stream that does not exist yields nothing.
	ReadStream(ctx context.Context, stream Stream, after Revision) iter.Seq2[Recorded, error]

	// ReadAll yields every record after position, in order, then stops.
	// What it cannot read is an error that names the place, and the end.
	ReadAll(ctx context.Context, after Position) iter.Seq2[Recorded, error]

	// ReadAt yields the records at positions, which grow, in their order, then
	// stops. A position that holds no durable record yields nothing.
	ReadAt(ctx context.Context, positions ...Position) iter.Seq2[Recorded, error]

	// Follow is ReadAll that does not stop, in slices of what is durable,
	// never empty and at most [MaxBatch] long: after the last record it waits
	// for the next. Others who follow may be given the same slices: do not
	// change them.
	// It ends by yielding an error: ctx.Err() when ctx is done.
	Follow(ctx context.Context, after Position) iter.Seq2[[]Recorded, error]

	// Head returns the position of the last durable record, zero if there is
	// none.
	Head(ctx context.Context) (Position, error)

	// Barrier returns nil once every read through this store that begins
	// afterwards sees every record whose Append was acknowledged, by any
	// process, before Barrier was called. Without it a read may miss what
	// another process has just appended, on a store that several have open.
	// After an error, ctx's included, nothing is guaranteed.
	Barrier(ctx context.Context) error
}

// A ConflictError says that a stream was not as long as the caller expected:
// someone else wrote first.
type ConflictError struct {
	Stream           Stream
	Expected, Actual Revision
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("stream %s: expected %d records, found %d", e.Stream, e.Expected, e.Actual)
}

// CheckBounds returns an error if a store may not take records on stream.
// Every backend calls it first.
func CheckBounds(stream Stream, records []Record) error {
	switch {
	case stream == "" || len(stream) > 200:
		return fmt.Errorf("stream %q: a name has 1 to 200 bytes, this has %d", stream, len(stream))
	case len(records) == 0 || len(records) > MaxBatch:
		return fmt.Errorf("stream %s: an append takes 1 to %d records, this has %d", stream, MaxBatch, len(records))
	}

	for i := range len(stream) {
		if stream[i] == 0 {
			return fmt.Errorf("stream %q: a name holds no zero byte", stream)
		}
	}

	for i, r := range records {
		switch {
		case r.ID == EventID{}:
			return fmt.Errorf("stream %s: record %d of the append has no id", stream, i)
		case r.Type == "" || len(r.Type) > 100:
			return fmt.Errorf("stream %s: record %d: a type has 1 to 100 bytes, this has %d", stream, i, len(r.Type))
		case len(r.Data) > MaxData:
			return fmt.Errorf("stream %s: record %d of type %s: at most %d bytes, this has %d; keep larger things as "+
				"blobs", stream, i, r.Type, MaxData, len(r.Data))
		}
	}
	return nil
}
