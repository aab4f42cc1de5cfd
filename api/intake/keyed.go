package intake

import (
	"context"
	"hash/maphash"
	"sync"
)

// A keyed runs jobs side by side, but those of one key one after the other, in
// the order in which they came. It holds a bounded number of jobs.
type keyed struct {
	seed  maphash.Seed
	slots chan struct{}
	idle  sync.WaitGroup // of keys that have a goroutine

	mu     sync.Mutex
	closed bool
	queues map[uint64][]func() // what waits behind the job that runs
}

func newKeyed(max int) *keyed {
	return &keyed{seed: maphash.MakeSeed(), slots: make(chan struct{}, max), queues: make(map[uint64][]func())}
}

// key returns the key of one person of one app. Two persons may share one:
// they take turns, which is harmless.
func (k *keyed) key(app, person string) uint64 {
	var h maphash.Hash
	h.SetSeed(k.seed)
	h.WriteString(app)
	h.WriteByte(0)
	h.WriteString(person)
	return h.Sum64()
}

// do queues job and returns; it waits while there are too many. It reports
// whether job will run: not so after close, or when ctx ends first.
func (k *keyed) do(ctx context.Context, key uint64, job func()) bool {
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
	k.idle.Add(1)
	go k.run(key, job)
	return true
}

func (k *keyed) run(key uint64, job func()) {
	defer k.idle.Done()
	for job != nil {
		job()
		<-k.slots
		job = k.next(key)
	}
}

// next returns the job that waits longest, or forgets the key.
func (k *keyed) next(key uint64) func() {
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
func (k *keyed) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.idle.Wait()
}
