package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
)

func record(n int, data string) eventstore.Record {
	return eventstore.Record{ID: eventstore.EventID{1, byte(n >> 16), byte(n >> 8), byte(n)}, Type: "test.v1", Data: []byte(data)}
}

func mustAppend(t testing.TB, s eventstore.Store, stream eventstore.Stream, expected eventstore.Revision, r ...eventstore.Record) eventstore.Position {
	t.Helper()
	pos, err := s.Append(t.Context(), stream, expected, r...)
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

func read(t testing.TB, s eventstore.Store, stream eventstore.Stream) (got []eventstore.Recorded) {
	t.Helper()
	for r, err := range s.ReadStream(t.Context(), stream, 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	return got
}

// sayings are what writers were told instead of what became of their appends.
var sayings = map[string]esdbserver.Saying{
	"commit timeout": esdbserver.CommitTimeout, "forwarding timeout": esdbserver.ForwardingTimeout, "cancelled": esdbserver.Cancelled,
	"exhausted": esdbserver.Exhausted, "deadline": esdbserver.DeadlineExceeded, "handler failed": esdbserver.HandlerFailed,
	"shutting down": esdbserver.ShuttingDown, "reset": esdbserver.ConnectionReset,
}

// twice lets the first two appends of events have a fate.
func twice(fate esdbserver.Fate) func(esdbserver.Write) *esdbserver.Fate {
	var n atomic.Int64
	return func(w esdbserver.Write) *esdbserver.Fate {
		if w.Events > 0 && n.Add(1) <= 2 {
			return &fate
		}
		return nil
	}
}

// TestUnknownOutcomesAreSettled answers appends in every way from which nobody can
// tell whether they were made: once they were, once not.
func TestUnknownOutcomesAreSettled(t *testing.T) {
	for _, k := range kinds {
		for name, say := range sayings {
			for _, lost := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, lost %t", k.name, name, lost), func(t *testing.T) {
					leavesNothing(t)
					server := serve(t, k.server)
					s := open(t, addressOf(server), k.store)
					server.SetFaults(esdbserver.Faults{Append: twice(esdbserver.Fate{Lost: lost, Say: say})})
					first := mustAppend(t, s, "a", 0, record(1, "one"), record(2, "two"))
					second := mustAppend(t, s, "a", 2, record(3, "three"))
					got := read(t, s, "a")
					if len(got) != 3 || got[1].Position != first || got[2].Position != second {
						t.Fatalf("appended up to %d and %d, read %+v", first, second, got)
					}
				})
			}
		}
	}
}

// TestAnAppendOutlivesItsCaller gives the caller less time than the server takes.
func TestAnAppendOutlivesItsCaller(t *testing.T) {
	leavesNothing(t)
	server := serve(t, esdbserver.Options{})
	s := open(t, addressOf(server), esdb.Options{})
	mustAppend(t, s, "a", 0, record(1, "one"))
	server.SetFaults(esdbserver.Faults{
		Append: func(w esdbserver.Write) *esdbserver.Fate {
			return &esdbserver.Fate{Lost: true, Say: esdbserver.CommitTimeout}
		},
		Wait: 200 * time.Millisecond,
	})

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := s.Append(ctx, "a", 1, record(2, "two"))
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 20*time.Second {
		t.Fatalf("after %v: %v", time.Since(began), err)
	}

	server.SetFaults(esdbserver.Faults{})
	for range 3000 {
		if len(read(t, s, "a")) == 2 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the append was given up when its caller was")
}

// TestAConflictIsOneWithWhatCanBeRead has a node without a quorum refuse an append
// because of another that nobody can read, and that is kept or cut off later.
func TestAConflictIsOneWithWhatCanBeRead(t *testing.T) {
	for _, kept := range []bool{true, false} {
		t.Run(fmt.Sprint("kept ", kept), func(t *testing.T) {
			leavesNothing(t)
			server := serve(t, esdbserver.Options{})
			one, other := open(t, addressOf(server), esdb.Options{}), open(t, addressOf(server), esdb.Options{})
			mustAppend(t, one, "a", 0, record(1, "one"))
			mustAppend(t, other, "b", 0, record(9, "nine"))
			server.LoseQuorum()
			server.SetFaults(esdbserver.Faults{Wait: 10 * time.Millisecond})

			short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if _, err := one.Append(short, "a", 1, record(2, "two")); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			lost := make(chan error, 1)
			go func() {
				_, err := other.Append(t.Context(), "a", 1, record(2, "another two"))
				lost <- err
			}()
			select {
			case err := <-lost:
				t.Fatalf("answered while nobody can know: %v", err)
			case <-time.After(300 * time.Millisecond):
			}
			server.SetFaults(esdbserver.Faults{})
			server.RegainQuorum(kept)

			err := <-lost
			if err := one.Barrier(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := read(t, one, "a")
			_, conflict := errors.AsType[*eventstore.ConflictError](err)
			if len(got) != 2 || err != nil && !conflict || (err == nil) != (string(got[1].Data) == "another two") || kept && err == nil {
				t.Errorf("the other was told %v, and the stream holds %+v", err, got)
			}
		})
	}
}

func TestASizeThatAServerMayRefuseIsNotSent(t *testing.T) {
	server := serve(t, esdbserver.Options{})
	s := open(t, addressOf(server), esdb.Options{})
	records := make([]eventstore.Record, 16)
	for i := range records {
		records[i] = record(i, "")
		records[i].Data = make([]byte, eventstore.MaxData)
	}
	if _, err := s.Append(t.Context(), "a", 0, records...); err == nil {
		t.Error("an append of 16 times 65535 bytes was taken")
	}
	if got := read(t, s, "a"); len(got) != 0 {
		t.Errorf("the stream holds %d records", len(got))
	}
	mustAppend(t, s, "a", 0, records[:15]...)
}
