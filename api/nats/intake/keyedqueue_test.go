package intake

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// TestOneKeyTakesTurns runs many jobs of few keys, while workers come and rest.
func TestOneKeyTakesTurns(t *testing.T) {
	k := newKeyedQueue(64)
	const keys, jobs = 7, 300
	var mu sync.Mutex
	ran := map[uint64][]int{}
	var workers sync.WaitGroup
	for key := range uint64(keys) {
		workers.Go(func() {
			for i := range jobs {
				taken := k.do(t.Context(), key, func() {
					mu.Lock()
					defer mu.Unlock()
					ran[key] = append(ran[key], i)
				})
				if !taken {
					t.Errorf("job %d of key %d was not taken", i, key)
				}
				if i%10 == 0 {
					runtime.Gosched() // lets workers find nothing to do
				}
			}
		})
	}
	workers.Wait()
	k.close()
	for key, order := range ran {
		if len(order) != jobs || !slices.IsSorted(order) {
			t.Errorf("key %d: %d jobs, in order: %v", key, len(order), slices.IsSorted(order))
		}
	}
	if len(ran) != keys || len(k.slots) != 0 || len(k.queues) != 0 {
		t.Errorf("%d keys ran; then %d slots taken and %d queues", len(ran), len(k.slots), len(k.queues))
	}
}

// TestIdleWorkersAreUsedAgain says how many wait, and that none stays. The
// bubble ends only when every goroutine has.
func TestIdleWorkersAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeyedQueue(2 * maxIdle)
		for range 3 {
			hold := make(chan struct{})
			for key := range uint64(maxIdle + 9) {
				k.do(t.Context(), key, func() { <-hold })
			}
			synctest.Wait()
			if k.idle != 0 {
				t.Errorf("%d workers idle while all work", k.idle)
			}
			close(hold)
			synctest.Wait()
			if k.idle != maxIdle {
				t.Errorf("%d workers idle, want %d", k.idle, maxIdle)
			}
		}
		k.close()
		k.close()
		if k.do(t.Context(), 1, func() { t.Error("ran after close") }) {
			t.Error("took a job after close")
		}
	})
}

// TestCloseFinishes closes while jobs run and others of their keys wait.
func TestCloseFinishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeyedQueue(9)
		hold, ran := make(chan struct{}), 0
		for range 9 {
			k.do(t.Context(), 1, func() { <-hold; ran++ })
		}
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if k.do(ctx, 2, func() { t.Error("ran without a slot") }) {
			t.Error("took a tenth job")
		}
		closed := make(chan struct{})
		go func() { k.close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("closed before its jobs were done")
		default:
		}
		close(hold)
		<-closed
		if ran != 9 {
			t.Errorf("%d jobs ran, want 9", ran)
		}
	})
}
