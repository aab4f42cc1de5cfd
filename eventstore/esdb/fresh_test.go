package esdb_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
)

// questions are the appends of no events that a node has got, by stream.
type questions struct {
	mu sync.Mutex
	of map[string]int
}

func (q *questions) count(w esdbserver.Write) *esdbserver.Fate {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.Events == 0 {
		q.of[w.Stream]++
	}
	return nil
}

// take returns what was counted since it was called last.
func (q *questions) take() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	said := fmt.Sprint(q.of)
	clear(q.of)
	return said
}

func freshly(t testing.TB, s *esdb.Store, stream eventstore.Stream, after eventstore.Revision) (n int) {
	t.Helper()
	for _, err := range eventstore.ReadFresh(t.Context(), s, stream, after) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// TestALoneReaderAsksByItself counts what the server is asked for a read of what
// is known already, of what is not, and soon after another.
func TestALoneReaderAsksByItself(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			leavesNothing(t)
			server := serve(t, k.server)
			soon := k.store
			soon.BarrierEvery = time.Nanosecond
			s := open(t, addressOf(server), soon)
			mustAppend(t, s, "a", 0, record(1, "one"), record(2, "two"))
			asked := &questions{of: map[string]int{}}
			server.SetFaults(esdbserver.Faults{Append: asked.count})

			for _, tt := range []struct {
				after eventstore.Revision
				want  int
				asked string
			}{
				{2, 0, "map[ledger.a:1]"},
				{1, 1, "map[ledger.a:1 ledger~:1]"}, // a refusal proves nothing
				{0, 2, "map[ledger~:1]"},
			} {
				if n := freshly(t, s, "a", tt.after); n != tt.want {
					t.Errorf("after %d of 2 it yields %d records, want %d", tt.after, n, tt.want)
				}
				if got := asked.take(); got != tt.asked {
					t.Errorf("after %d of 2 the server was asked %s, want %s", tt.after, got, tt.asked)
				}
			}

			seldom := k.store
			seldom.BarrierEvery = time.Hour
			other := open(t, addressOf(server), seldom)
			if err := other.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			asked.take()
			if n := freshly(t, other, "a", 2); n != 0 {
				t.Errorf("it yields %d records", n)
			}
			if got := asked.take(); got != "map[ledger.a:1]" {
				t.Errorf("the first in an hour asked the server %s", got)
			}
			ctx, cancel := within(t, 100*time.Millisecond)
			defer cancel()
			for _, err := range other.ReadFresh(ctx, "a", 2) {
				if err == nil {
					t.Error("it yields a record")
				}
			}
			if got := asked.take(); got != "map[]" {
				t.Errorf("the second in an hour asked the server %s", got)
			}
		})
	}
}

// TestALoneReaderIsNotToldThePast has a leader that was replaced answer reads from
// what it has.
func TestALoneReaderIsNotToldThePast(t *testing.T) {
	leavesNothing(t)
	nodes, address := cluster(t)
	here, there := open(t, address, esdb.Options{}), open(t, address, esdb.Options{})
	mustAppend(t, here, "a", 0, record(1, "one"))
	nodes[0].SetFaults(esdbserver.Faults{Lagging: true, Deposed: true, Wait: 50 * time.Millisecond})
	nodes[1].Become(esdbserver.Leader)
	ctx, cancel := within(t, time.Minute)
	defer cancel()
	if _, err := there.Append(ctx, "a", 1, record(2, "two")); err != nil {
		t.Fatal(err)
	}
	if n := freshly(t, here, "a", 1); n != 1 {
		t.Errorf("it yields %d records, and one was acknowledged", n)
	}
}

// TestADeletedStreamIsLeftAsItIs has somebody delete a stream, which an append of no
// events would make anew.
func TestADeletedStreamIsLeftAsItIs(t *testing.T) {
	leavesNothing(t)
	server := serve(t, esdbserver.Options{})
	s := open(t, addressOf(server), esdb.Options{BarrierEvery: time.Nanosecond})
	mustAppend(t, s, "a", 0, record(1, "one"))
	anybody(t, server).delete("ledger.a")
	if _, err := drain(s.ReadAll(t.Context(), 0)); err == nil || s.Fault() == nil {
		t.Fatal("the deletion was not noticed")
	}

	asked := &questions{of: map[string]int{}}
	server.SetFaults(esdbserver.Faults{Append: asked.count})
	if n := freshly(t, s, "a", 1); n != 0 {
		t.Errorf("it yields %d records", n)
	}
	if got := asked.take(); got != "map[ledger~:1]" {
		t.Errorf("the server was asked %s", got)
	}
}

// BenchmarkFresh takes the time of one reader's question whether anything is new: a
// read, a barrier and a read, and both at once, in turns.
func BenchmarkFresh(b *testing.B) {
	s := open(b, addressOf(serve(b, esdbserver.Options{})), esdb.Options{BarrierEvery: time.Nanosecond})
	for i := range 12 {
		mustAppend(b, s, "a", eventstore.Revision(i), numbered(uint64(i)+1, make([]byte, 600)))
	}
	read := func(ctx context.Context) {
		if n, err := drain(s.ReadStream(ctx, "a", 12)); n > 0 || err != nil {
			b.Fatal(n, err)
		}
	}
	took := map[string]time.Duration{}
	for range b.N {
		for name, ask := range map[string]func(){
			"read": func() { read(b.Context()) },
			"barrier+read": func() {
				if err := s.Barrier(b.Context()); err != nil {
					b.Fatal(err)
				}
				read(b.Context())
			},
			"fresh": func() { freshly(b, s, "a", 12) },
		} {
			began := time.Now()
			ask()
			took[name] += time.Since(began)
		}
	}
	for name, all := range took {
		b.ReportMetric(float64(all.Microseconds())/float64(b.N), "µs-"+name)
	}
}
