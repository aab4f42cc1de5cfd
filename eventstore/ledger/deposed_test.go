package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/rounds"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
)

// Three processes on a cluster whose leader is replaced again and again, while the one
// before still believes that it leads and answers reads from the past. One process
// gives a receipt for an opt-out, the two others are asked at once.
func TestNoProcessBelievesADeposedLeader(t *testing.T) {
	tries := rounds.Of(t, 60)
	nodes, address := serveCluster(t)
	w := &world{rows: newRows(), keys: vault.NewMemoryKeys(), now: start}
	var process []*ledger.Ledger
	for range 3 {
		process = append(process, w.remote(t, address))
	}
	begin(t, process[0])

	ctx, stop := context.WithCancel(t.Context())
	var chaos sync.WaitGroup
	chaos.Go(func() { depose(ctx, nodes) })
	defer chaos.Wait()
	defer stop()

	var count struct{ unknown, stale, asked int }
	for i := range tries {
		w.now += 5000
		insist(t, process[rand.IntN(3)], requestOf(fmt.Sprint("yes", i), yes))
		for _, l := range process { // they remember it
			for known := false; !known; {
				s, err := l.State(t.Context(), "demo", ada, ledger.AsOf{})
				known = err == nil && s.Subject.Standing("ads", w.now+1000, s.Reference).Status == domain.Given
			}
		}

		w.now += 5000
		writer := rand.IntN(3)
		insist(t, process[writer], requestOf(fmt.Sprint("no", i), no))
		for j := range 2 {
			l := process[(writer+1+j)%3]
			if stand(t, l, w, ada, ledger.AsOf{Cached: true}) == domain.Given {
				count.stale++
			}
			count.asked++
			s, err := l.State(t.Context(), "demo", ada, ledger.AsOf{})
			if err != nil {
				count.unknown++
				continue
			}
			if got := s.Subject.Standing("ads", w.now+1000, s.Reference).Status; got != domain.Withdrawn {
				t.Fatalf("round %d: a receipt was given for a no, and another process says %v", i, got)
			}
		}
	}
	t.Logf("%d times asked, %d unknown, %d still remembered the yes", count.asked, count.unknown, count.stale)
	if count.stale == 0 || count.unknown == count.asked {
		t.Errorf("asked %d times, %d unknown, %d remembered a yes: this shows nothing", count.asked, count.unknown, count.stale)
	}
}

// serveCluster serves three nodes, of which the first leads.
func serveCluster(t *testing.T) (nodes []*esdbserver.Server, address string) {
	t.Helper()
	nodes = esdbserver.NewCluster(3, esdbserver.Options{})
	var hosts []string
	for _, n := range nodes {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- n.Serve(l) }()
		t.Cleanup(func() {
			n.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		hosts = append(hosts, n.Addr())
	}
	return nodes, "esdb://" + strings.Join(hosts, ",") + "?tls=false&defaultDeadline=1000"
}

// remote opens the ledger as a process would, with a connection of its own.
func (w *world) remote(t *testing.T, address string) *ledger.Ledger {
	t.Helper()
	a, err := esdb.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := esdb.Open(a, esdb.Options{BarrierEvery: time.Millisecond, OnFault: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	v, err := vault.Open(t.Context(), w.rows, w.keys)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), ledger.Config{Store: s, Vault: v, Now: func() deadline.Instant { return w.now }, Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// depose lets another node lead, while the one that led believes that it still does,
// until ctx is done.
func depose(ctx context.Context, nodes []*esdbserver.Server) {
	wait := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	for leader := 0; ctx.Err() == nil; leader = (leader + 1) % len(nodes) {
		wait(time.Duration(50+rand.IntN(200)) * time.Millisecond)
		nodes[(leader+1)%len(nodes)].Elect()
		nodes[leader].Become(esdbserver.Leader)
		nodes[leader].SetFaults(esdbserver.Faults{Lagging: true, Deposed: true, Wait: 20 * time.Millisecond})
		wait(time.Duration(50+rand.IntN(400)) * time.Millisecond)
		nodes[leader].Become(esdbserver.Follower)
		nodes[leader].SetFaults(esdbserver.Faults{})
	}
}

// insist sends a request until there is a receipt for it.
func insist(t *testing.T, l *ledger.Ledger, r ledger.Request) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := l.Execute(ctx, r)
		cancel()
		if err == nil {
			return
		}
		if t.Context().Err() != nil || code(err) != "" {
			t.Fatal(err)
		}
	}
}
