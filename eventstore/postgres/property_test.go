package postgres_test

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
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// A trial is three processes that append, ask and follow while the server crashes
// and ends connections.
type trial struct {
	t       *testing.T
	stores  []*postgres.Store
	streams int
	left    atomic.Int64 // appends that are still to be made
	checks  atomic.Int64

	mu       sync.Mutex
	acked    map[eventstore.EventID]string // the bytes that were acknowledged
	length   []eventstore.Revision         // of each stream, as far as it was acknowledged
	unsure   int                           // appends whose outcome their caller never learned at once
	conflict int
}

// TestAcknowledgedIsStoredOnce makes 2,000 appends, or as many as the environment's
// CONSENTLEDGER_APPENDS says.
func TestAcknowledgedIsStoredOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	leavesNothing(t)
	server := pgservertest.Serve(t)
	total := 2000
	if n, err := strconv.Atoi(os.Getenv("CONSENTLEDGER_APPENDS")); err == nil {
		total = n
	}
	trial := &trial{t: t, streams: 24, acked: map[eventstore.EventID]string{}, length: make([]eventstore.Revision, 24)}
	trial.left.Store(int64(total))
	for range 3 {
		trial.stores = append(trial.stores, open(t, server.Address("postgres"), postgres.Options{}))
	}

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
	crashes, ended := 0, 0
	askers.Go(func() { crashes, ended = trial.disturb(ctx, server, rand.New(rand.NewPCG(seed, 7))) })
	others.Wait()
	stop()
	askers.Wait()
	followers.Wait()
	trial.check(total, told)
	t.Logf("%d appends, %d of them unsure at first, %d conflicts, %d checks behind barriers, %d crashes, connections ended %d times",
		total, trial.unsure, trial.conflict, trial.checks.Load(), crashes, ended)
	if crashes+ended == 0 {
		t.Error("nothing was disturbed")
	}
}

// disturb crashes the server and ends its connections, in turn.
func (l *trial) disturb(ctx context.Context, server *pgserver.Server, dice *rand.Rand) (crashes, ended int) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(300+dice.IntN(900)) * time.Millisecond):
		}
		var err error
		if dice.IntN(4) > 0 {
			_, err = server.SQL(l.t.Context(), "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'consentledger'")
			ended++
		} else {
			err = errors.Join(server.Stop(l.t.Context(), true), server.Start(l.t.Context()))
			crashes++
		}
		if err != nil {
			l.t.Error(err)
			return
		}
	}
	return crashes, ended
}

// write appends records as the ledger does: what it does not know it reads.
func (l *trial) write(s *postgres.Store, dice *rand.Rand, process, writer int) {
	for n := 0; l.left.Add(-1) >= 0; n++ {
		r := eventstore.Record{Type: "test.v1"}
		r.ID = eventstore.EventID{2, byte(process), byte(writer), byte(n >> 8), byte(n)}
		if !l.settle(s, dice.IntN(l.streams), r, dice) {
			return
		}
	}
}

// settle appends r until it is there.
func (l *trial) settle(s *postgres.Store, stream int, r eventstore.Record, dice *rand.Rand) bool {
	name := eventstore.Stream(fmt.Sprint("s", stream))
	at := eventstore.Revision(0)
	for version := 0; ; version++ {
		for old, err := range s.ReadStream(l.t.Context(), name, at) {
			if err != nil {
				l.t.Error(err)
				return false
			}
			if at = old.Revision; old.ID == r.ID {
				l.acknowledge(stream, old)
				return true
			}
		}
		r.Data = fmt.Appendf(nil, "version %d of %s", version, r.ID)
		ctx, cancel := l.t.Context(), context.CancelFunc(func() {})
		if dice.IntN(10) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(1+dice.IntN(40))*time.Millisecond)
		}
		_, err := s.Append(ctx, name, at, r)
		cancel()
		if err == nil {
			l.acknowledge(stream, eventstore.Recorded{Record: r, Revision: at + 1})
			return true
		}
		_, lost := errors.AsType[*eventstore.ConflictError](err)
		if _, fault := errors.AsType[*postgres.FaultError](err); fault {
			l.t.Error(err)
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

func (l *trial) acknowledge(stream int, r eventstore.Recorded) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[r.ID] = string(r.Data)
	l.length[stream] = max(l.length[stream], r.Revision)
}

// ask looks behind barriers for what was acknowledged before.
func (l *trial) ask(ctx context.Context, s *postgres.Store, dice *rand.Rand) {
	for ctx.Err() == nil {
		stream := dice.IntN(l.streams)
		l.mu.Lock()
		want := l.length[stream]
		l.mu.Unlock()
		if err := s.Barrier(ctx); err != nil {
			if ctx.Err() == nil {
				l.t.Error(err)
			}
			return
		}
		got := max(want, 1) - 1
		for r, err := range s.ReadStream(l.t.Context(), eventstore.Stream(fmt.Sprint("s", stream)), got) {
			if err != nil {
				l.t.Error(err)
				return
			}
			got = r.Revision
		}
		if got < want {
			l.t.Errorf("behind a barrier stream %d has %d records, %d were acknowledged", stream, got, want)
		}
		l.checks.Add(1)
	}
}

func (l *trial) follow(s *postgres.Store, total int) (told []eventstore.Recorded) {
	ctx, cancel := context.WithTimeout(l.t.Context(), 10*time.Minute)
	defer cancel()
	for batch, err := range s.Follow(ctx, 0) {
		if err != nil {
			l.t.Errorf("after %d records: %v", len(told), err)
			break
		}
		if told = append(told, batch...); len(told) >= total {
			break
		}
	}
	return told
}

// check holds what was acknowledged and what followers were told against the store.
func (l *trial) check(total int, told [][]eventstore.Recorded) {
	l.t.Helper()
	var all []eventstore.Recorded
	for r, err := range l.stores[0].ReadAll(l.t.Context(), 0) {
		if err != nil {
			l.t.Fatal(err)
		}
		all = append(all, r)
	}
	stored := map[eventstore.EventID]string{}
	for _, r := range all {
		if _, twice := stored[r.ID]; twice {
			l.t.Errorf("%s is stored twice", r.ID)
		}
		stored[r.ID] = string(r.Data)
	}
	if len(all) != total || len(l.acked) != total {
		l.t.Errorf("%d are stored and %d acknowledged of %d", len(all), len(l.acked), total)
	}
	for id, data := range l.acked {
		if stored[id] != data {
			l.t.Errorf("%s was acknowledged as %q, and is %q", id, data, stored[id])
		}
	}
	for i, r := range all {
		if r.Position != eventstore.Position(i+1) {
			l.t.Errorf("record %d is at position %d: there is a gap", i+1, r.Position)
			break
		}
	}
	for p, list := range told {
		for i, r := range list {
			if i >= len(all) || r.Position != all[i].Position || r.ID != all[i].ID || string(r.Data) != string(all[i].Data) {
				l.t.Errorf("follower %d was told of %s at %d as record %d", p, r.ID, r.Position, i)
				break
			}
		}
	}
	for p, s := range l.stores {
		if err := s.Fault(); err != nil {
			l.t.Errorf("process %d: %v", p, err)
		}
	}
}
