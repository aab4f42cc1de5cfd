package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"consentledger/eventstore"
)

// version returns the n-th record of a test with other bytes than [rec] gives it.
func version(n, v int) eventstore.Record {
	r := rec(n)
	r.Data = fmt.Appendf(nil, "record %d, version %d", n, v)
	return r
}

// oneID lets writers append on one revision what has the same ids and other
// bytes: at once, and when one of them has won. A store whose engine compares
// ids only would tell all of them that they won.
func oneID(t *testing.T, s eventstore.Store) {
	const writers = 16
	for round := range 2 {
		name := eventstore.Stream(fmt.Sprint("s", round))
		batch := func(v int) []eventstore.Record {
			return []eventstore.Record{version(2*round, v), version(2*round+1, v)}[:1+round]
		}
		var wg sync.WaitGroup
		won := make([]bool, writers)
		for v := range writers {
			wg.Go(func() {
				_, err := s.Append(t.Context(), name, 0, batch(v)...)
				won[v] = err == nil
				if _, lost := errors.AsType[*eventstore.ConflictError](err); err != nil && !lost {
					t.Errorf("version %d: %v", v, err)
				}
			})
		}
		wg.Wait()

		got := stream(t, s, name, 0)
		if len(got) != 1+round {
			t.Fatalf("the stream holds %d records, want %d", len(got), 1+round)
		}
		for v, w := range won {
			if is := string(got[0].Data) == string(batch(v)[0].Data); w != is {
				t.Errorf("version %d won: %t, but the store holds %s", v, w, got[0].Data)
			}
		}
		later(t, s, name, batch(writers))
	}
}

// later appends what has the ids of the records that a stream holds, and other
// bytes.
func later(t *testing.T, s eventstore.Store, name eventstore.Stream, records []eventstore.Record) {
	t.Helper()
	n := eventstore.Revision(len(records))
	for _, part := range [][]eventstore.Record{records, records[:1]} {
		_, err := s.Append(t.Context(), name, 0, part...)
		want := eventstore.ConflictError{Stream: name, Expected: 0, Actual: n}
		if c, ok := errors.AsType[*eventstore.ConflictError](err); !ok || *c != want {
			t.Errorf("other bytes under the same ids: got %v, want %v", err, &want)
		}
	}
	if got := stream(t, s, name, 0); len(got) != len(records) {
		t.Errorf("the stream holds %d records, want %d", len(got), len(records))
	}
}

// again makes appends a second time. That they are a part of one that is there
// does not make them the same.
func again(t *testing.T, s eventstore.Store) {
	first := add(t, s, "a", 0, rec(0), rec(1))
	second := add(t, s, "a", 2, rec(2))
	for _, tt := range []struct {
		expected eventstore.Revision
		records  []eventstore.Record
		at       eventstore.Position // zero: it was never made
	}{
		{0, []eventstore.Record{rec(0), rec(1)}, first},
		{2, []eventstore.Record{rec(2)}, second},
		{0, []eventstore.Record{rec(0)}, 0},
		{1, []eventstore.Record{rec(1)}, 0},
		{1, []eventstore.Record{rec(1), rec(2)}, 0},
		{0, []eventstore.Record{rec(0), rec(1), rec(2)}, 0},
	} {
		pos, err := s.Append(t.Context(), "a", tt.expected, tt.records...)
		_, lost := errors.AsType[*eventstore.ConflictError](err)
		if !lost && (err != nil || tt.at == 0 || pos != tt.at) {
			t.Errorf("%d records on %d: got %d, %v, want a conflict or, as the first time, %d", len(tt.records),
				tt.expected, pos, err, tt.at)
		}
	}

	if got := all(t, s, 0); len(got) != 3 {
		t.Errorf("the store holds %d records, want 3", len(got))
	}
}
