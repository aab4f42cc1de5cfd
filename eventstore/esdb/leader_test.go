package esdb_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/freeport"
)

// serveOn serves a node on a listener until t ends.
func serveOn(t testing.TB, s *esdbserver.Server, l net.Listener) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Wake()
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func listen(t testing.TB, at string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// cluster serves three nodes, of which the first leads.
func cluster(t testing.TB) (nodes []*esdbserver.Server, address string) {
	t.Helper()
	nodes = esdbserver.NewCluster(3, esdbserver.Options{})
	hosts := make([]string, len(nodes))
	for i, n := range nodes {
		serveOn(t, n, listen(t, "127.0.0.1:0"))
		hosts[i] = n.Addr()
	}
	return nodes, "esdb://" + strings.Join(hosts, ",") + "?tls=false&defaultDeadline=1000"
}

// count follows s and says how many records it has been told of.
func count(t testing.TB, s eventstore.Store) (told <-chan int) {
	t.Helper()
	c := make(chan int, 1000)
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		n := 0
		for batch, err := range s.Follow(ctx, 0) {
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			n += len(batch)
			c <- n
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return c
}

func reach(t testing.TB, told <-chan int, n int) {
	t.Helper()
	for {
		select {
		case got := <-told:
			if got == n {
				return
			}
			if got > n {
				t.Fatalf("told of %d records, want %d", got, n)
			}
		case <-time.After(time.Minute):
			t.Fatalf("not told of record %d", n)
		}
	}
}

func TestTheLeaderIsFollowed(t *testing.T) {
	for name, change := range map[string]func(nodes []*esdbserver.Server){
		"another is elected":       func(nodes []*esdbserver.Server) { nodes[2].Elect() },
		"it is killed":             func(nodes []*esdbserver.Server) { nodes[0].Exit(); nodes[1].Elect() },
		"it sleeps, another leads": func(nodes []*esdbserver.Server) { nodes[0].Sleep(); nodes[1].Elect() },
		"it is not ready for a while": func(nodes []*esdbserver.Server) {
			nodes[0].Become(esdbserver.Unknown)
			nodes[1].Become(esdbserver.Leader)
		},
		"it is shut down": func(nodes []*esdbserver.Server) {
			go nodes[0].ShutDown(300 * time.Millisecond)
			time.Sleep(100 * time.Millisecond)
			nodes[1].Elect()
		},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			nodes, address := cluster(t)
			s := open(t, address, esdb.Options{})
			told := count(t, s)
			mustAppend(t, s, "a", 0, record(1, "one"))
			reach(t, told, 1)
			change(nodes)
			began := time.Now()
			mustAppend(t, s, "a", 1, record(2, "two"))
			if err := s.Barrier(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := read(t, s, "a"); len(got) != 2 {
				t.Errorf("read %d records", len(got))
			}
			reach(t, told, 2)
			if took := time.Since(began); took > 25*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestFromOneAddressTheLeaderIsFound gives the address of a follower only.
func TestFromOneAddressTheLeaderIsFound(t *testing.T) {
	for _, scheme := range []string{"esdb://", "esdb+discover://"} {
		t.Run(scheme, func(t *testing.T) {
			leavesNothing(t)
			nodes, _ := cluster(t)
			s := open(t, scheme+nodes[2].Addr()+"?tls=false", esdb.Options{})
			mustAppend(t, s, "a", 0, record(1, "one"))
			nodes[0].Exit()
			nodes[1].Elect()
			mustAppend(t, s, "a", 1, record(2, "two"))
			if scheme == "esdb+discover://" {
				nodes[2].Exit()
				nodes[1].EndSubscriptions(esdbserver.ShuttingDown)
				mustAppend(t, s, "a", 2, record(3, "three"))
			}
		})
	}
}

// TestALeaderThatWakesIsNotBelieved: it answers reads from the past, and no
// barrier.
func TestALeaderThatWakesIsNotBelieved(t *testing.T) {
	leavesNothing(t)
	nodes, address := cluster(t)
	here, there := open(t, address, esdb.Options{}), open(t, address, esdb.Options{})
	mustAppend(t, here, "a", 0, record(1, "one"))
	nodes[0].SetFaults(esdbserver.Faults{Lagging: true, Deposed: true, Wait: 50 * time.Millisecond})
	if got := read(t, here, "a"); len(got) != 1 {
		t.Fatalf("read %d records", len(got))
	}

	nodes[1].Become(esdbserver.Leader) // two lead now, as they see it
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := there.Append(ctx, "b", 0, record(2, "two")); err != nil {
		t.Fatal(err)
	}
	if err := here.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, here, "b"); len(got) != 1 {
		t.Errorf("behind a barrier it reads %d records, and one was acknowledged", len(got))
	}
}

// TestALeaderThatSleepsKeepsNobody: nobody else leads, and it wakes in the end.
func TestALeaderThatSleepsKeepsNobody(t *testing.T) {
	leavesNothing(t)
	nodes, address := cluster(t)
	s := open(t, address, esdb.Options{})
	told := count(t, s)
	mustAppend(t, s, "a", 0, record(1, "one"))
	nodes[0].Sleep()
	ctx, cancel := within(t, 500*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := s.Append(ctx, "a", 1, record(2, "two")); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	time.Sleep(time.Second)
	nodes[0].Wake()
	if _, err := s.Append(t.Context(), "a", 1, record(2, "other bytes")); err == nil {
		if got := read(t, s, "a"); string(got[1].Data) != "other bytes" {
			t.Errorf("the second was acknowledged, and stored is %s", got[1].Data)
		}
	}
	reach(t, told, 2)
	if got := read(t, s, "a"); len(got) != 2 {
		t.Errorf("the stream has %d records, want 2", len(got))
	}
}

// TestAStoreOutlastsItsServer takes the server away for a while, from before the
// first call on: nothing waits beyond its deadline, and all is well again without
// a hand.
func TestAStoreOutlastsItsServer(t *testing.T) {
	leavesNothing(t)
	at := freeport.Address(t)
	s := open(t, "esdb://"+at+"?tls=false", esdb.Options{})
	// What is appended has no stream to go to: it may go on after its caller has gone,
	// until the server is back.
	without := func() {
		t.Helper()
		for name, f := range map[string]func(context.Context) error{
			"append":  func(ctx context.Context) error { _, err := s.Append(ctx, "x", 7, record(9, "nine")); return err },
			"read":    func(ctx context.Context) error { _, err := drain(s.ReadAll(ctx, 0)); return err },
			"head":    func(ctx context.Context) error { _, err := s.Head(ctx); return err },
			"follow":  func(ctx context.Context) error { _, err := drain(s.Follow(ctx, 0)); return err },
			"barrier": func(ctx context.Context) error { return s.Barrier(ctx) },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			began := time.Now()
			err := f(ctx)
			if cancel(); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 20*time.Second {
				t.Errorf("%s: after %v: %v", name, time.Since(began), err)
			}
		}
	}
	without()
	server := esdbserver.New(esdbserver.Options{})
	serveOn(t, server, listen(t, at))
	told := count(t, s)
	mustAppend(t, s, "a", 0, record(1, "one"))
	reach(t, told, 1)

	server.Exit()
	without()
	server = server.Again()
	serveOn(t, server, listen(t, at))
	mustAppend(t, s, "a", 1, record(2, "two"))
	reach(t, told, 2)
}

// TestOrdinaryEndsOfASubscriptionAreNone ends it in each way that is no fault.
func TestOrdinaryEndsOfASubscriptionAreNone(t *testing.T) {
	leavesNothing(t)
	server := serve(t, esdbserver.Options{})
	s := open(t, addressOf(server), esdb.Options{})
	told := count(t, s)
	for i, say := range []esdbserver.Saying{esdbserver.TheTruth, esdbserver.ShuttingDown, esdbserver.ConnectionReset, esdbserver.Cancelled} {
		mustAppend(t, s, "a", eventstore.Revision(2*i), record(2*i, "x"))
		reach(t, told, 2*i+1)
		server.EndSubscriptions(say)
		mustAppend(t, s, "a", eventstore.Revision(2*i+1), record(2*i+1, "y"))
		reach(t, told, 2*i+2)
	}
}
