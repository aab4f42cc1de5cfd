package intake

import (
	"context"
	"hash/maphash"
	"sync"

	"consentledger/domain/ident"
)

// A keyedQueue runs jobs side by side, but those of one key one after the other, in
// the order in which they came. It holds a bounded number of jobs.
type keyedQueue struct {
	seed    maphash.Seed
	slots   chan struct{}
	spare   chan turn      // taken by a worker that has nothing to do
	workers sync.WaitGroup // a worker's goroutine has a stack that has grown: it is used again

	mu     sync.Mutex
	closed bool
	idle   int                 // workers that wait at spare, or are about to
	queues map[uint64][]func() // what waits behind the job that runs
}

// A turn is a job that nothing of its key runs before.
type turn struct {
	key uint64
	job func()
}

// maxIdle is how many workers wait for a job at most.
const maxIdle = 512

func newKeyedQueue(max int) *keyedQueue {
	return &keyedQueue{
		seed: maphash.MakeSeed(), slots: make(chan struct{}, max), spare: make(chan turn, maxIdle),
		queues: make(map[uint64][]func()),
	}
}

// person returns the key of one person of one app.
func (k *keyedQueue) person(app ident.AppName, p ident.PersonKey) uint64 {
	return k.key(string(app), p.Kind, ":", p.ID) // as p.String joins them
}

// key returns the key of whoever has a name: its parts make the same key as the
// whole. Two persons may share one: they take turns, which is harmless.
func (k *keyedQueue) key(app string, person ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(k.seed)
	h.WriteString(app)
	h.WriteByte(0)
	for _, part := range person {
		h.WriteString(part)
	}
	return h.Sum64()
}

// do queues job and returns; it waits while there are too many. It reports
// whether job will run: not so after close, or when ctx ends first.
func (k *keyedQueue) do(ctx context.Context, key uint64, job func()) bool {
	select {
	case k.slots <- struct{}{}:
	default:
		select {
		case k.slots <- struct{}{}:
		case <-ctx.Done():
			return false
		}
	}

	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		<-k.slots
		return false
	}

	waiting, running := k.queues[key]
	if running {
		k.queues[key] = append(waiting, job)
		return true
	}

	k.queues[key] = nil
	if k.idle > 0 {
		k.idle--
		k.spare <- turn{key, job} // has room for all who wait
		return true
	}

	k.workers.Go(func() { k.work(turn{key, job}) })
	return true
}

// work runs jobs until there are more idle workers than need be, or there will
// be no more jobs.
func (k *keyedQueue) work(t turn) {
	for more := true; more; t, more = <-k.spare {
		for job := t.job; job != nil; {
			job()
			<-k.slots
			job = k.next(t.key)
		}
		if !k.rest() {
			return
		}
	}
}

// rest reports whether the worker that asks shall wait for another turn.
func (k *keyedQueue) rest() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.idle == maxIdle {
		return false
	}
	k.idle++
	return true
}

// next returns the job that waits longest, or forgets the key.
func (k *keyedQueue) next(key uint64) func() {
	k.mu.Lock()
	defer k.mu.Unlock()
	waiting := k.queues[key]
	if len(waiting) == 0 {
		delete(k.queues, key)
		return nil
	}
	k.queues[key] = waiting[1:]
	return waiting[0]
}

// close takes no more jobs and waits for those it has.
func (k *keyedQueue) close() {
	k.mu.Lock()
	if !k.closed {
		k.closed = true
		close(k.spare) // who waits there ends, once what is in it is done
	}
	k.mu.Unlock()
	k.workers.Wait()
}
