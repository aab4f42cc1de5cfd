// Package storetest holds every [eventstore.Store] and every
// [eventstore.Rows] to its contract: each case is a sentence of it.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"consentledger/eventstore"
)

// Run tests the stores that open returns. Each call of open is one empty store.
func Run(t *testing.T, open func(*testing.T) eventstore.Store) {
	for _, tt := range []struct {
		clause string
		test   func(*testing.T, eventstore.Store)
	}{
		{"append adds in order and returns the last position", ordered},
		{"append adds all records or none", atomic},
		{"append on another revision is a conflict and writes nothing", conflict},
		{"of many writers on one revision one wins and the losers can read it", race},
		{"of appends that differ only in their bytes one wins", oneID},
		{"an append that is there is not made again", again},
		{"many writers on many streams all get in", crowd},
		{"what breaks a bound is an error and writes nothing", bounds},
		{"what just keeps the bounds is taken", largest},
		{"data comes back unchanged", unchanged},
		{"a stream that does not exist yields nothing", nothing},
		{"streams whose names begin alike are apart", alike},
		{"read stream yields what comes after the revision", afterRevision},
		{"read all yields what comes after the position", afterPosition},
		{"read at yields the records at positions", atPositions},
		{"read at yields nothing where there is no record", atNone},
		{"a reader may stop early", stops},
		{"head is the last position and zero if there is none", head},
		{"follow yields all in full slices of at most 1000", follows},
		{"follow waits for the next record", waits},
		{"follow ends with its context's error", ends},
		{"a barrier ends, and with its context's error", barrierEnds},
		{"an import keeps the order of many streams", imports},
		{"an import that does not go on where its streams end is a conflict, and leaves no gap", importsElsewhere},
	} {
		t.Run(tt.clause, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func ordered(t *testing.T, s eventstore.Store) {
	var last eventstore.Position
	for i := range 3 {
		pos := add(t, s, "a", eventstore.Revision(i), rec(i))
		if pos <= last {
			t.Errorf("append %d returned position %d after %d", i, pos, last)
		}
		last = pos
	}

	got := stream(t, s, "a", 0)
	if len(got) != 3 || got[2].Position != last {
		t.Fatalf("read %+v, want 3 records, the last at %d", got, last)
	}

	for i, r := range got {
		checkRecorded(t, r, "a", eventstore.Revision(i+1), rec(i))
	}

	checkOrder(t, got)
}

func atomic(t *testing.T, s eventstore.Store) {
	pos := add(t, s, "a", 0, rec(0), rec(1), rec(2))
	got := all(t, s, 0)
	if len(got) != 3 || got[2].Position != pos {
		t.Fatalf("read %+v, want 3 records, the last at %d", got, pos)
	}
	if _, err := s.Append(t.Context(), "a", 2, rec(3), rec(4)); err == nil {
		t.Error("append on revision 2 of 3 succeeded")
	}
	if n := len(all(t, s, 0)); n != 3 {
		t.Errorf("the store holds %d records after a failed append, want 3", n)
	}
}

func conflict(t *testing.T, s eventstore.Store) {
	add(t, s, "a", 0, rec(0))
	for _, tt := range []struct {
		stream   eventstore.Stream
		expected eventstore.Revision
		actual   eventstore.Revision
	}{{"a", 0, 1}, {"a", 2, 1}, {"b", 1, 0}} {
		_, err := s.Append(t.Context(), tt.stream, tt.expected, rec(1), rec(2))
		c, ok := errors.AsType[*eventstore.ConflictError](err)
		want := eventstore.ConflictError{Stream: tt.stream, Expected: tt.expected, Actual: tt.actual}
		if !ok || *c != want {
			t.Errorf("got %v, want %v", err, &want)
		}
	}

	if n := len(all(t, s, 0)); n != 1 {
		t.Errorf("the store holds %d records, want 1", n)
	}
}

func race(t *testing.T, s eventstore.Store) {
	var wg sync.WaitGroup
	won := make([]bool, 16)
	for i := range won {
		wg.Go(func() {
			_, err := s.Append(t.Context(), "a", 0, rec(i))
			won[i] = err == nil
			if _, lost := errors.AsType[*eventstore.ConflictError](err); err != nil && !lost {
				t.Errorf("writer %d: %v", i, err)
			}
			n := 0
			for _, err := range s.ReadStream(t.Context(), "a", 0) {
				if n++; err != nil {
					t.Error(err)
				}
			}
			if n != 1 {
				t.Errorf("writer %d reads %d records after its append, want 1", i, n)
			}
		})
	}

	wg.Wait()
	got := all(t, s, 0)
	if len(got) != 1 {
		t.Fatalf("the store holds %d records, want 1", len(got))
	}

	for i, w := range won {
		if w != (got[0].ID == rec(i).ID) {
			t.Errorf("writer %d won: %t, but the store holds %s", i, w, got[0].Data)
		}
	}
}

func crowd(t *testing.T, s eventstore.Store) {
	const writers, each = 8, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				name := eventstore.Stream(fmt.Sprint("s", w))
				if _, err := s.Append(t.Context(), name, eventstore.Revision(i), rec(w*each+i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}

	wg.Wait()
	got := all(t, s, 0)
	if len(got) != writers*each {
		t.Errorf("the store holds %d records, want %d", len(got), writers*each)
	}

	checkOrder(t, got)
	for w := range writers {
		name := eventstore.Stream(fmt.Sprint("s", w))
		for i, r := range stream(t, s, name, 0) {
			checkRecorded(t, r, name, eventstore.Revision(i+1), rec(w*each+i))
		}
	}
}

func bounds(t *testing.T, s eventstore.Store) {
	good := rec(0)
	with := func(f func(*eventstore.Record)) []eventstore.Record {
		r := good
		f(&r)
		return []eventstore.Record{good, r}
	}

	for _, tt := range []struct {
		breaks  string
		stream  eventstore.Stream
		records []eventstore.Record
	}{
		{"an empty name", "", []eventstore.Record{good}},
		{"a name of 201 bytes", eventstore.Stream(strings.Repeat("a", 201)), []eventstore.Record{good}},
		{"a zero byte in a name", "a\x00b", []eventstore.Record{good}},
		{"no records", "a", nil},
		{"1001 records", "a", make([]eventstore.Record, eventstore.MaxBatch+1)},
		{"no id", "a", with(func(r *eventstore.Record) { r.ID = eventstore.EventID{} })},
		{"no type", "a", with(func(r *eventstore.Record) { r.Type = "" })},
		{"a type of 101 bytes", "a", with(func(r *eventstore.Record) { r.Type = strings.Repeat("t", 101) })},
		{"data of 65536 bytes", "a", with(func(r *eventstore.Record) { r.Data = make([]byte, eventstore.MaxData+1) })},
	} {
		_, err := s.Append(t.Context(), tt.stream, 0, tt.records...)
		if _, conflict := errors.AsType[*eventstore.ConflictError](err); err == nil || conflict {
			t.Errorf("%s: got %v, want an error of its own", tt.breaks, err)
		}
	}

	if n := len(all(t, s, 0)); n != 0 {
		t.Errorf("the store holds %d records, want none", n)
	}
}

func largest(t *testing.T, s eventstore.Store) {
	name := eventstore.Stream(strings.Repeat("a", 200))
	big := eventstore.Record{ID: rec(0).ID, Type: strings.Repeat("t", 100),
		Data: bytes.Repeat([]byte{7}, eventstore.MaxData)}
	add(t, s, name, 0, big)
	many := make([]eventstore.Record, eventstore.MaxBatch)
	for i := range many {
		many[i] = rec(i + 1)
	}

	add(t, s, name, 1, many...)
	got := stream(t, s, name, 0)
	if len(got) != 1+len(many) {
		t.Fatalf("the stream holds %d records, want %d", len(got), 1+len(many))
	}

	checkRecorded(t, got[0], name, 1, big)
	for i, r := range many {
		checkRecorded(t, got[i+1], name, eventstore.Revision(i+2), r)
	}
}

func unchanged(t *testing.T, s eventstore.Store) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}

	var records []eventstore.Record
	for i, data := range [][]byte{nil, {}, {0}, []byte(" {\"b\": 1, \"a\":2}\n"), {0xff, 0xfe}, every} {
		records = append(records, eventstore.Record{ID: rec(i).ID, Type: "test.v1", Data: data})
	}

	add(t, s, "a", 0, records...)
	var kept []eventstore.Recorded
	for batch, err := range s.Follow(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if kept = append(kept, batch...); len(kept) == len(records) {
			break
		}
	}

	for _, got := range [][]eventstore.Recorded{kept, all(t, s, 0), stream(t, s, "a", 0)} {
		if len(got) != len(records) {
			t.Fatalf("read %d records, want %d", len(got), len(records))
		}
		for i, r := range got {
			checkRecorded(t, r, "a", eventstore.Revision(i+1), records[i])
		}
	}
}

func nothing(t *testing.T, s eventstore.Store) {
	add(t, s, "somewhere", 0, rec(0))
	if got := stream(t, s, "nowhere", 0); len(got) != 0 {
		t.Errorf("a stream that does not exist yielded %+v", got)
	}
}

func alike(t *testing.T, s eventstore.Store) {
	names := []eventstore.Stream{"a", "a-", "a-a", "aa", "a a", "a/a", "ä", "A", "a\x01", "aa-\x7f"}
	for round := range 2 {
		for i, name := range names {
			add(t, s, name, eventstore.Revision(round), rec(round*len(names)+i))
		}
	}

	for i, name := range names {
		got := stream(t, s, name, 0)
		if len(got) != 2 {
			t.Fatalf("stream %q holds %d records, want 2", name, len(got))
		}
		checkRecorded(t, got[0], name, 1, rec(i))
		checkRecorded(t, got[1], name, 2, rec(len(names)+i))
	}
}
