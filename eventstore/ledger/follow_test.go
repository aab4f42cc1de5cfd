package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// TestFollowersOfOneLedgerReadTheSame lets several follow while it is written,
// and after it was: from the beginning, from the middle, and what is so old that
// it is not remembered.
func TestFollowersOfOneLedgerReadTheSame(t *testing.T) {
	const records = 5000
	w := newWorld()
	w.store = numbered(w.store)
	l := w.open(t)
	l.KeepLittle()
	begin(t, l)
	follow := func(after, until int) (list []codec.Entry) {
		for entries, err := range l.Follow(t.Context(), eventstore.Position(after)) {
			if err != nil {
				t.Error(err)
			}
			if list = append(list, entries...); int(list[len(list)-1].Position) >= until {
				break
			}
		}
		return list
	}
	read := map[string][]codec.Entry{}
	var mu sync.Mutex
	var workers sync.WaitGroup
	reader := func(name string, after int) {
		workers.Go(func() {
			list := follow(after, records)
			mu.Lock()
			defer mu.Unlock()
			read[fmt.Sprintf("%s, after %d", name, after)] = list[:min(len(list), records-after)]
		})
	}
	reader("live", 0)
	reader("live", 0)
	reader("live", 3)
	for i := range records {
		w.now++
		r := requestOf(fmt.Sprint(i), yes)
		r.Person.ID = fmt.Sprint(i % 50)
		must(t, l, r)
	}
	workers.Wait()
	for _, after := range []int{0, 1, 255, 256, 511, 700, records - 300, records - 1} {
		reader("later", after)
	}
	workers.Wait()
	var all []codec.Entry
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	for name, list := range read {
		want := all[records-len(list) : records]
		if len(list) == 0 || !reflect.DeepEqual(list, want) {
			t.Errorf("%s: %d entries, and they are not those of a replay", name, len(list))
		}
	}
}

// A flaky store cannot be followed now and then, in the middle of what it has.
type flaky struct {
	eventstore.Store
	batches atomic.Int64
}

var errFailed = errors.New("the store failed")

func (f *flaky) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		for batch, err := range f.Store.Follow(ctx, after) {
			if f.batches.Add(1)%5 == 0 {
				batch, err = nil, errFailed
			}
			if !yield(batch, err) || err != nil {
				return
			}
		}
	}
}

// A gauge is a number that grows, and can be waited for.
type gauge struct {
	mu    sync.Mutex
	moved *sync.Cond
	n     int64
}

func newGauge() *gauge {
	g := new(gauge)
	g.moved = sync.NewCond(&g.mu)
	return g
}

func (g *gauge) set(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n = n
	g.moved.Broadcast()
}

func (g *gauge) wait(least int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.n < least {
		g.moved.Wait()
	}
}

// TestFollowersMissNothing has one process write, and another followed meanwhile
// at several distances, over a store that fails and comes back: by some who begin
// early, late or from the middle, by some who are slow and fall behind what is
// kept, and by some who begin anew all the time. Each goes on from what it read
// last.
func TestFollowersMissNothing(t *testing.T) {
	const records = 3000
	w := newWorld()
	w.store = numbered(w.store)
	writes := w.open(t)
	begin(t, writes)
	w.store = &flaky{Store: w.store}
	l := w.open(t)
	l.KeepLittle()
	written := newGauge()
	var failures atomic.Int64
	var workers sync.WaitGroup
	reader := func(after eventstore.Position, lag int64, rounds int) {
		workers.Go(func() {
			for at, round := after, 0; at < records; round++ {
				read := 0
				for entries, err := range l.Follow(t.Context(), at) {
					if err != nil {
						if !errors.Is(err, errFailed) || len(entries) > 0 {
							t.Errorf("%d entries and %v", len(entries), err)
							return
						}
						failures.Add(1)
						break
					}
					if len(entries) == 0 || len(entries) > eventstore.MaxBatch {
						t.Errorf("a slice has %d entries", len(entries))
					}
					for _, e := range entries {
						if at++; e.Position != at { // the memory store leaves no gap
							t.Errorf("after %d, lagging %d: told of %d, want %d", after, lag, e.Position, at)
							return
						}
					}
					if read++; at >= records || rounds != 0 && read%rounds == 0 {
						break
					}
					written.wait(min(records, int64(at)+lag))
				}
			}
		})
	}
	for range 2 {
		reader(0, 0, 0)
		reader(1, 0, 1)    // begins anew after every slice
		reader(2, 700, 0)  // is slow: waits until so many come after what it read
		reader(0, 2000, 3) // falls behind what is kept
	}
	for i := range records {
		w.now++
		r := requestOf(fmt.Sprint(i), yes)
		r.Person.ID = fmt.Sprint(i % 50)
		must(t, writes, r)
		head, err := writes.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if written.set(int64(head)); i == records/2 {
			reader(0, 0, 0)
			reader(head-10, 0, 0)
			reader(head, 300, 2)
		}
	}
	workers.Wait()
	if failures.Load() == 0 {
		t.Error("the store never failed: this has proved nothing")
	}
}

// TestWhoeverFollowsStopsAtWhatCannotBeRead lets a record come that no program
// can read: whoever follows the entries is told of all before it, and of it,
// every time; whoever follows the records, or begins after it, goes on.
func TestWhoeverFollowsStopsAtWhatCannotBeRead(t *testing.T) {
	w := newWorld()
	w.store = numbered(w.store)
	l := w.open(t)
	begin(t, l)
	must(t, l, requestOf("before", yes))
	last, err := w.store.Append(t.Context(), "subject-demo-00ff", 0, eventstore.Record{ID: eventstore.EventID{1}, Type: "said.v9", Data: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	w.now++
	must(t, l, requestOf("after", yes))
	for name, l := range map[string]*ledger.Ledger{"as it comes": l, "from the store": w.open(t)} {
		for range 2 {
			at := eventstore.Position(0)
			var bad error
			for entries, err := range l.Follow(t.Context(), 0) {
				if bad = err; err == nil {
					at = entries[len(entries)-1].Position
				}
			}
			unreadable, is := errors.AsType[*codec.UnreadableError](bad)
			if at != last-1 || !is || unreadable.Position != last {
				t.Errorf("%s: told of all up to %d, then %v, want %d", name, at, bad, last-1)
			}
		}
		for entries, err := range l.Follow(t.Context(), last) {
			if err != nil || entries[0].Position != last+1 {
				t.Errorf("%s: behind it comes %v, %v", name, entries, err)
			}
			break
		}
		at := eventstore.Position(0)
		for records, err := range l.FollowRecords(t.Context(), 0) {
			if err != nil || records[0].Position != at+1 {
				t.Fatalf("%s: after record %d: %v, %v", name, at, records, err)
			}
			if at = records[len(records)-1].Position; at > last {
				break
			}
		}
	}
}
