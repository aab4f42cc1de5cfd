package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"

	"consentledger/eventstore"
)

// RunShared tests two stores that open returns, which have the same records:
// what two processes see of one store. Each call of open is one empty store.
func RunShared(t *testing.T, open func(*testing.T) (here, there eventstore.Store)) {
	for _, tt := range []struct {
		clause string
		test   func(t *testing.T, here, there eventstore.Store)
	}{
		{"behind a barrier every read sees what was acknowledged before it", behindBarrier},
		{"whoever catches up is told of what was acknowledged before", catchesUp},
		{"a fresh read yields what was acknowledged before it", freshRead},
		{"no fresh read of many at once is too early", freshCrowd},
		{"no barrier of many at once is too early", barrierCrowd},
		{"of two that append on one revision one wins", twoWriters},
		{"of two that append other bytes under one id one wins", twoVersions},
		{"follow yields what the other appends", followsOther},
	} {
		t.Run(tt.clause, func(t *testing.T) {
			here, there := open(t)
			tt.test(t, here, there)
		})
	}
}

func barrier(t *testing.T, s eventstore.Store) {
	t.Helper()
	if err := s.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// barrierEnds asks on an empty store, on one that is not, and with a context
// that is done.
func barrierEnds(t *testing.T, s eventstore.Store) {
	barrier(t, s)
	add(t, s, "a", 0, rec(0))
	barrier(t, s)
	if got := all(t, s, 0); len(got) != 1 {
		t.Errorf("behind two barriers the store holds %d records, want 1", len(got))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Barrier(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is done: %v", err)
	}
}

func behindBarrier(t *testing.T, here, there eventstore.Store) {
	for i := range 20 {
		pos := add(t, there, "a", eventstore.Revision(i), rec(i))
		barrier(t, here)
		if got := stream(t, here, "a", eventstore.Revision(i)); len(got) != 1 || got[0].Position != pos {
			t.Fatalf("record %d is not in its stream: %+v", i, got)
		}
		if got := all(t, here, pos-1); len(got) != 1 || got[0].Position != pos {
			t.Fatalf("record %d is not among all: %+v", i, got)
		}
		if got := at(t, here, pos); len(got) != 1 {
			t.Fatalf("record %d is not at %d", i, pos)
		}
		if head, err := here.Head(t.Context()); err != nil || head != pos {
			t.Fatalf("head is %d, %v, want %d", head, err, pos)
		}
	}
}

// catchesUp asks what is new after every position, while something was appended since
// and while nothing was, beside somebody who follows.
func catchesUp(t *testing.T, here, there eventstore.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var followed []eventstore.Recorded
	var follower sync.WaitGroup
	follower.Go(func() {
		for batch, err := range here.Follow(ctx, 0) {
			if followed = append(followed, batch...); err != nil || len(followed) >= 40 {
				return
			}
		}
	})

	var all []eventstore.Position
	for i := range 40 {
		writer := []eventstore.Store{here, there, there}[i%3]
		all = append(all, add(t, writer, "a", eventstore.Revision(i), rec(i)))
		last := all[i]
		for _, known := range []int{0, i / 2, i, i + 1} {
			var after eventstore.Position
			if known > 0 {
				after = all[known-1]
			}
			head, news, err := eventstore.CatchUp(ctx, here, after)
			if err != nil || head != last {
				t.Fatalf("after %d of %d records the end is %d, %v, want %d", known, i+1, head, err, last)
			}
			for n, r := range news {
				if r.Position != all[known+n] || r.Revision != eventstore.Revision(known+n+1) {
					t.Fatalf("after %d of %d records it is told of %+v", known, i+1, r)
				}
			}
		}
	}
	follower.Wait()
	for i, r := range followed {
		if r.Position != all[i] || string(r.Data) != string(rec(i).Data) {
			t.Errorf("who follows is told of %+v as record %d", r, i)
		}
	}

	cancel()
	if _, _, err := eventstore.CatchUp(ctx, here, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is done: %v", err)
	}
}

// freshRead asks with every number of records that the reader may know, at a time
// when nothing was appended since and when something was.
func freshRead(t *testing.T, here, there eventstore.Store) {
	const most = 12
	for length := range eventstore.Revision(most) {
		for known := range length + 1 {
			if got := fresh(t, here, "a", known); len(got) != int(length-known) {
				t.Fatalf("of %d records, %d of them known, it yields %d", length, known, len(got))
			}
		}
		add(t, there, "a", length, rec(int(length)))
		if got := fresh(t, here, "a", length); len(got) != 1 || got[0].Revision != length+1 {
			t.Fatalf("record %d was acknowledged, and it yields %+v", length+1, got)
		}
		if got := fresh(t, there, "a", length+1); len(got) != 0 {
			t.Fatalf("behind record %d, the last, it yields %+v", length+1, got)
		}
	}
	if got := all(t, here, 0); len(got) != most {
		t.Errorf("after all questions the store holds %d records, want %d", len(got), most)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range eventstore.ReadFresh(ctx, here, "a", most) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that is done: %v", err)
		}
		return
	}
	t.Error("with a context that is done it says that nothing is there")
}

func fresh(
	t *testing.T, s eventstore.Store, name eventstore.Stream, after eventstore.Revision,
) (got []eventstore.Recorded) {
	t.Helper()
	for r, err := range eventstore.ReadFresh(t.Context(), s, name, after) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	return got
}

func barrierCrowd(t *testing.T, here, there eventstore.Store) {
	askCrowd(t, here, there, func(ctx context.Context, name eventstore.Stream,
		after eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
		if err := here.Barrier(ctx); err != nil {
			t.Error(err)
		}
		return here.ReadStream(ctx, name, after)
	})
}

func freshCrowd(t *testing.T, here, there eventstore.Store) {
	askCrowd(t, here, there, func(ctx context.Context, name eventstore.Stream,
		after eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
		return eventstore.ReadFresh(ctx, here, name, after)
	})
}

// askCrowd has writers there, and here many who ask what they know to be
// acknowledged. They are told how many records there were.
func askCrowd(t *testing.T, here, there eventstore.Store,
	ask func(context.Context, eventstore.Stream, eventstore.Revision) iter.Seq2[eventstore.Recorded, error]) {
	const streams, askers, each, most = 4, 16, 15, 2000
	var mu sync.Mutex
	acknowledged := make([]eventstore.Revision, streams)
	ctx, cancel := context.WithCancel(t.Context())

	var writers, readers sync.WaitGroup
	for w := range streams {
		writers.Go(func() {
			name := eventstore.Stream(fmt.Sprint("s", w))
			for i := eventstore.Revision(0); i < most && ctx.Err() == nil; i++ {
				if _, err := there.Append(ctx, name, i, rec(1000*w+int(i))); err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				acknowledged[w] = i + 1
				mu.Unlock()
			}
		})
	}
	for n := range askers {
		readers.Go(func() {
			for range each {
				mu.Lock()
				want := acknowledged[n%streams]
				mu.Unlock()
				got := max(want, 1) - 1
				for r, err := range ask(ctx, eventstore.Stream(fmt.Sprint("s", n%streams)), got) {
					if err != nil {
						t.Error(err)
						return
					}
					got = r.Revision
				}
				if got < want {
					t.Errorf("behind a barrier stream %d holds %d records, and %d were acknowledged before it",
						n%streams, got, want)
				}
			}
		})
	}
	readers.Wait()
	cancel()
	writers.Wait()
}

func twoWriters(t *testing.T, here, there eventstore.Store) {
	compete(t, here, there, func(who, round int) eventstore.Record { return rec(2*round + who) })
}

func twoVersions(t *testing.T, here, there eventstore.Store) {
	compete(t, here, there, func(who, round int) eventstore.Record { return version(round, who) })
}

// compete has two append on one revision, round after round.
func compete(t *testing.T, here, there eventstore.Store, record func(who, round int) eventstore.Record) {
	const rounds = 25
	for round := range rounds {
		var wg sync.WaitGroup
		var won [2]bool
		for who, s := range []eventstore.Store{here, there} {
			wg.Go(func() {
				_, err := s.Append(t.Context(), "a", eventstore.Revision(round), record(who, round))
				won[who] = err == nil
				if _, lost := errors.AsType[*eventstore.ConflictError](err); err != nil && !lost {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		if won[0] == won[1] {
			t.Fatalf("round %d: the winners are %v, want one", round, won)
		}
		barrier(t, here)
		got := stream(t, here, "a", eventstore.Revision(round))
		if len(got) != 1 || won[0] != (string(got[0].Data) == string(record(0, round).Data)) {
			t.Fatalf("round %d: the winners are %v, but the store holds %+v", round, won, got)
		}
	}
}

func followsOther(t *testing.T, here, there eventstore.Store) {
	n := 0
	pos := add(t, there, "a", 0, rec(0))
	for batch, err := range here.Follow(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range batch {
			checkRecorded(t, r, "a", eventstore.Revision(n+1), rec(n))
			n++
		}
		if batch[len(batch)-1].Position != pos {
			t.Fatalf("followed to %d, want %d", batch[len(batch)-1].Position, pos)
		}
		if n == 20 {
			return
		}
		pos = add(t, there, "a", eventstore.Revision(n), rec(n))
	}
}
