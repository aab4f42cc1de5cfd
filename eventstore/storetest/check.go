package storetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"consentledger/eventstore"
)

// rec returns the n-th record of a test: its id and data are its own.
func rec(n int) eventstore.Record {
	r := eventstore.Record{Type: "test.v1", Data: fmt.Appendf(nil, "record %d", n)}
	binary.BigEndian.PutUint64(r.ID[8:], uint64(n)+1)
	return r
}

func add(t *testing.T, s eventstore.Store, stream eventstore.Stream, expected eventstore.Revision,
	records ...eventstore.Record) eventstore.Position {
	t.Helper()
	pos, err := s.Append(t.Context(), stream, expected, records...)
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

func all(t *testing.T, s eventstore.Store, after eventstore.Position) (got []eventstore.Recorded) {
	t.Helper()
	for r, err := range s.ReadAll(t.Context(), after) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	return got
}

func at(t *testing.T, s eventstore.Store, positions ...eventstore.Position) (got []eventstore.Recorded) {
	t.Helper()
	for r, err := range s.ReadAt(t.Context(), positions...) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	return got
}

func stream(
	t *testing.T, s eventstore.Store, name eventstore.Stream, after eventstore.Revision,
) (got []eventstore.Recorded) {
	t.Helper()
	for r, err := range s.ReadStream(t.Context(), name, after) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	return got
}

func checkRecorded(
	t *testing.T, got eventstore.Recorded, stream eventstore.Stream, rev eventstore.Revision, want eventstore.Record,
) {
	t.Helper()
	if got.Stream != stream || got.Revision != rev || got.ID != want.ID || got.Type != want.Type ||
		!bytes.Equal(got.Data, want.Data) {
		t.Errorf("read %s/%d %s %s %.60q, want %s/%d %s %s %.60q", got.Stream, got.Revision, got.ID, got.Type, got.Data,
			stream, rev, want.ID, want.Type, want.Data)
	}
}

func checkOrder(t *testing.T, got []eventstore.Recorded) {
	t.Helper()
	var last eventstore.Position
	for _, r := range got {
		if r.Position <= last {
			t.Errorf("position %d comes after %d", r.Position, last)
		}
		last = r.Position
	}
}
