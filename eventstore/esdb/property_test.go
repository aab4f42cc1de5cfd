package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
)

// A trial is processes that append, ask and follow while the server answers at
// random. Some of them, or all, may be in this process.
type trial struct {
	ctx     context.Context
	fail    func(format string, args ...any)
	stores  []*esdb.Store
	streams int
	left    atomic.Int64 // appends that are still to be made
	checks  atomic.Int64
	patient bool // a call that has no answer in half a minute is made again

	mu       sync.Mutex
	told     func(stream int, r eventstore.Recorded) // of each append that is acknowledged here, or nil
	acked    map[eventstore.EventID]string           // the bytes that were acknowledged
	length   []eventstore.Revision                   // of each stream, as far as it was acknowledged
	unsure   int                                     // appends whose outcome their caller never learned at once
	conflict int
}

// fates answers one append of events in eight in a way that tells nothing, and of
// these half are made.
func fates(seed uint64) func(esdbserver.Write) *esdbserver.Fate {
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(seed, 1))
	all := []esdbserver.Saying{esdbserver.CommitTimeout, esdbserver.ForwardingTimeout, esdbserver.Cancelled, esdbserver.Exhausted,
		esdbserver.DeadlineExceeded, esdbserver.HandlerFailed}
	return func(w esdbserver.Write) *esdbserver.Fate {
		mu.Lock()
		defer mu.Unlock()
		if dice.IntN(8) > 0 {
			return nil
		}
		say := all[dice.IntN(len(all))]
		if dice.IntN(40) == 0 {
			say = esdbserver.ConnectionReset
		}
		return &esdbserver.Fate{Lost: dice.IntN(2) == 0, Say: say}
	}
}

// TestAcknowledgedIsStoredOnce makes 2,000 appends, or as many as the environment's
// CONSENTLEDGER_APPENDS says.
func TestAcknowledgedIsStoredOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	leavesNothing(t)
	server := serve(t, esdbserver.Options{})
	total := 2000
	if n, err := strconv.Atoi(os.Getenv("CONSENTLEDGER_APPENDS")); err == nil {
		total = n
	}
	trial := newTrial(t.Context(), t.Errorf, 24, total)
	for range 3 {
		trial.stores = append(trial.stores, open(t, addressOf(server), esdb.Options{}))
	}
	server.SetFaults(esdbserver.Faults{Append: fates(seed)})

	var followers, others sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	told := make([][]eventstore.Recorded, len(trial.stores))
	for p, s := range trial.stores {
		followers.Go(func() { told[p] = trial.follow(s, total) })
		for w := range 8 {
			others.Go(func() { trial.write(s, rand.New(rand.NewPCG(seed, uint64(100*p+w))), p, w) })
		}
	}
	var askers sync.WaitGroup
	for p, s := range trial.stores {
		askers.Go(func() { trial.ask(ctx, s, rand.New(rand.NewPCG(seed, uint64(1000+p)))) })
	}
	askers.Go(func() { disturb(ctx, server) })
	others.Wait()
	stop()
	askers.Wait()
	server.SetFaults(esdbserver.Faults{})
	followers.Wait()
	trial.check(trial.stores[0], total, told)
	t.Logf("%d appends, %d of them unsure at first, %d conflicts, %d checks behind barriers", total, trial.unsure, trial.conflict, trial.checks.Load())
}

func newTrial(ctx context.Context, fail func(string, ...any), streams, total int) *trial {
	l := &trial{ctx: ctx, fail: fail, streams: streams, acked: map[eventstore.EventID]string{}, length: make([]eventstore.Revision, streams)}
	l.left.Store(int64(total))
	return l
}

// disturb ends subscriptions now and then.
func disturb(ctx context.Context, server *esdbserver.Server) {
	every := time.NewTicker(300 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			server.EndSubscriptions(esdbserver.TheTruth)
		}
	}
}

// write appends records as the ledger does: what it does not know it reads.
func (l *trial) write(s *esdb.Store, dice *rand.Rand, process, writer int) {
	for n := 0; l.left.Add(-1) >= 0; n++ {
		r := record(0, "")
		r.ID = eventstore.EventID{2, byte(process), byte(writer), byte(n >> 8), byte(n)}
		if !l.settle(s, dice.IntN(l.streams), r, dice) {
			return
		}
	}
}

// settle appends r until it is there.
func (l *trial) settle(s *esdb.Store, stream int, r eventstore.Record, dice *rand.Rand) bool {
	name := eventstore.Stream(fmt.Sprint("s", stream))
	at := eventstore.Revision(0)
	for version := 0; ; version++ {
		old, there, err := l.find(s, name, &at, r.ID)
		switch {
		case err != nil && l.again(err):
			continue
		case err != nil:
			l.fail("reading: %v", err)
			return false
		case there:
			l.acknowledge(stream, old)
			return true
		}
		r.Data = fmt.Appendf(nil, "version %d of %s", version, r.ID)
		ctx, cancel := l.ctx, context.CancelFunc(func() {})
		if dice.IntN(10) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(1+dice.IntN(4))*time.Millisecond)
		}
		_, err = s.Append(ctx, name, at, r)
		cancel()
		if err == nil {
			l.acknowledge(stream, eventstore.Recorded{Record: r, Revision: at + 1})
			return true
		}
		_, lost := errors.AsType[*eventstore.ConflictError](err)
		if _, fault := errors.AsType[*esdb.FaultError](err); fault || l.ctx.Err() != nil {
			l.fail("appending: %v", err)
			return false
		}
		l.mu.Lock()
		if lost {
			l.conflict++
		} else {
			l.unsure++
		}
		l.mu.Unlock()
	}
}

// find looks for a record behind a revision, which it moves to the last it read.
func (l *trial) find(s *esdb.Store, name eventstore.Stream, at *eventstore.Revision, id eventstore.EventID) (eventstore.Recorded, bool, error) {
	for old, err := range s.ReadStream(l.ctx, name, *at) {
		if err != nil {
			return old, false, err
		}
		if *at = old.Revision; old.ID == id {
			return old, true, nil
		}
	}
	return eventstore.Recorded{}, false, nil
}

// again reports whether a call that ended with err is made again.
func (l *trial) again(err error) bool {
	_, fault := errors.AsType[*esdb.FaultError](err)
	return l.patient && !fault && l.ctx.Err() == nil
}

func (l *trial) acknowledge(stream int, r eventstore.Recorded) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[r.ID] = string(r.Data)
	l.length[stream] = max(l.length[stream], r.Revision)
	if l.told != nil {
		l.told(stream, r)
	}
}

// ask looks behind barriers for what was acknowledged before.
func (l *trial) ask(ctx context.Context, s *esdb.Store, dice *rand.Rand) {
	for ctx.Err() == nil {
		stream := dice.IntN(l.streams)
		l.mu.Lock()
		want := l.length[stream]
		l.mu.Unlock()
		if err := s.Barrier(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			if l.again(err) {
				continue
			}
			l.fail("asking: %v", err)
			return
		}
		got := max(want, 1) - 1
		_, _, err := l.find(s, eventstore.Stream(fmt.Sprint("s", stream)), &got, eventstore.EventID{})
		switch {
		case err != nil && !l.again(err):
			l.fail("reading behind a barrier: %v", err)
			return
		case err == nil && got < want:
			l.fail("behind a barrier stream %d has %d records, %d were acknowledged", stream, got, want)
		case err == nil:
			l.checks.Add(1)
		}
	}
}

func (l *trial) follow(s *esdb.Store, total int) (told []eventstore.Recorded) {
	ctx, cancel := context.WithTimeout(l.ctx, 25*time.Minute)
	defer cancel()
	for batch, err := range s.Follow(ctx, 0) {
		if err != nil {
			l.fail("after %d records: %v", len(told), err)
			break
		}
		if told = append(told, batch...); len(told) >= total {
			break
		}
	}
	return told
}

// check holds what was acknowledged and what followers were told against the store.
func (l *trial) check(s *esdb.Store, total int, told [][]eventstore.Recorded) {
	all := l.checkStored(s, total)
	for p, list := range told {
		if n, same := alike(list, all); !same {
			l.fail("follower %d was told of %d records, and from record %d on of others than are stored", p, len(list), n)
		}
	}
	for p, s := range l.stores {
		if err := s.Fault(); err != nil {
			l.fail("process %d: %v", p, err)
		}
	}
}

// checkStored holds what was acknowledged against the store, and returns all that
// is in it.
func (l *trial) checkStored(s *esdb.Store, total int) (all []eventstore.Recorded) {
	for r, err := range s.ReadAll(l.ctx, 0) {
		if err != nil {
			l.fail("reading all: %v", err)
			return all
		}
		all = append(all, r)
	}
	stored := map[eventstore.EventID]string{}
	for _, r := range all {
		if _, twice := stored[r.ID]; twice {
			l.fail("%s is stored twice", r.ID)
		}
		stored[r.ID] = string(r.Data)
	}
	if len(all) != total || len(l.acked) != total {
		l.fail("%d are stored and %d acknowledged of %d", len(all), len(l.acked), total)
	}
	for id, data := range l.acked {
		if stored[id] != data {
			l.fail("%s was acknowledged as %q, and is %q", id, data, stored[id])
		}
	}
	return all
}

// alike reports whether two lists hold the same records at the same positions, and
// from which on they do not.
func alike(a, b []eventstore.Recorded) (n int, same bool) {
	for n < len(a) && n < len(b) && a[n].Position == b[n].Position && a[n].ID == b[n].ID && string(a[n].Data) == string(b[n].Data) {
		n++
	}
	return n, n == len(a) && n == len(b)
}
