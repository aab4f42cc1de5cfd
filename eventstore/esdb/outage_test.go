package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
)

// These tests run in time of their own, which passes as soon as everybody waits: a
// store and its servers live through five minutes in less than a second, with the
// timeouts that they have in life. Their connections are pipes in memory.

// Pipes are how servers are reached.
type pipes struct {
	t         *testing.T
	mu        sync.Mutex
	listeners map[string]*listener
	clients   atomic.Int64
}

func newPipes(t *testing.T) *pipes { return &pipes{t: t, listeners: map[string]*listener{}} }

// address returns the connection string of some nodes, and their addresses.
func (p *pipes) address(n int) (hosts []string, connection string) {
	for i := range n {
		hosts = append(hosts, fmt.Sprintf("10.0.0.%d:2113", i+1))
	}
	return hosts, "esdb://" + strings.Join(hosts, ",") + "?tls=false"
}

// serve serves a node at an address until it exits, or t ends.
func (p *pipes) serve(s *esdbserver.Server, at string) {
	host, err := net.ResolveTCPAddr("tcp", at)
	if err != nil {
		p.t.Fatal(err)
	}
	d := newListener(host)
	p.mu.Lock()
	p.listeners[at] = d
	p.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(d) }()
	p.t.Cleanup(func() { s.Wake(); s.Close(); <-done })
}

// dial connects to whoever serves at an address.
func (p *pipes) dial(ctx context.Context, host string) (net.Conn, error) {
	p.mu.Lock()
	d := p.listeners[host]
	p.mu.Unlock()
	if d == nil {
		return nil, errors.New("connection refused")
	}
	n := int(p.clients.Add(1))
	client := &net.TCPAddr{IP: net.IPv4(10, 1, byte(n>>8), byte(n)), Port: 1000}
	here, there := net.Pipe()
	select {
	case d.conns <- addressed{there, d.at, client}:
		return addressed{here, client, d.at}, nil
	case <-d.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// addressed is a connection with addresses.
type addressed struct {
	net.Conn
	here, there net.Addr
}

func (a addressed) LocalAddr() net.Addr  { return a.here }
func (a addressed) RemoteAddr() net.Addr { return a.there }

// openBy opens a store whose connections are made by n.
func openBy(t testing.TB, connection string, n *network, o esdb.Options) *esdb.Store {
	t.Helper()
	a, err := esdb.ParseAddress(connection)
	if err != nil {
		t.Fatal(err)
	}
	a.DialWith(n.connect)
	s, err := esdb.Open(a, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// An outage takes something away, and brings it back.
type outage struct{ begin, end func(w *outWorld) }

// outWorld is a server, or a cluster, and the network to it.
type outWorld struct {
	pipes   *pipes
	network *network
	hosts   []string
	nodes   []*esdbserver.Server
}

// outages are those of a single node.
var outages = map[string]outage{
	"connections are refused": {func(w *outWorld) { w.network.refuse() }, func(w *outWorld) { w.network.mend() }},
	"nothing gets through":    {func(w *outWorld) { w.network.hush() }, func(w *outWorld) { w.network.mend() }},
	"it sleeps":               {func(w *outWorld) { w.nodes[0].Sleep() }, func(w *outWorld) { w.nodes[0].Wake() }},
	"it is killed": {func(w *outWorld) { w.nodes[0].Exit() }, func(w *outWorld) {
		w.nodes[0] = w.nodes[0].Again()
		w.pipes.serve(w.nodes[0], w.hosts[0])
	}},
	"it has no leader": {func(w *outWorld) { w.nodes[0].Become(esdbserver.Unknown) }, func(w *outWorld) { w.nodes[0].Become(esdbserver.Leader) }},
}

// inTime runs f with a world of its own, in time of its own.
func inTime(t *testing.T, name string, nodes int, f func(t *testing.T, w *outWorld, s *esdb.Store)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPipes(t)
			w := &outWorld{pipes: p, network: newNetwork(p.dial)}
			hosts, connection := p.address(nodes)
			w.hosts, w.nodes = hosts, esdbserver.NewCluster(nodes, esdbserver.Options{})
			for i, n := range w.nodes {
				p.serve(n, hosts[i])
			}
			f(t, w, openBy(t, connection, w.network, esdb.Options{}))
		})
	})
}

// TestOutages takes the server away for a second, half a minute and five minutes:
// no call lasts beyond its deadline, not by a millisecond, and once the server is
// back all goes on without a hand.
func TestOutages(t *testing.T) {
	for name, o := range outages {
		for _, long := range []time.Duration{time.Second, 30 * time.Second, 5 * time.Minute} {
			inTime(t, fmt.Sprint(name, " for ", long), 1, func(t *testing.T, w *outWorld, s *esdb.Store) {
				b := keepBusy(t, s, "a", 2*time.Second, 0)
				time.Sleep(time.Second)
				o.begin(w)
				time.Sleep(long)
				o.end(w)
				took := b.recovers(time.Minute)
				t.Logf("well again after %v: %s", took, b.settle())
			})
		}
	}
}

// TestALeaderThatSleptIsReplaced pauses the leader for 15 seconds. Another is elected
// meanwhile, or none is. When it wakes it holds itself for the leader for a second,
// and then ends.
func TestALeaderThatSleptIsReplaced(t *testing.T) {
	for _, after := range []time.Duration{2 * time.Second, 9 * time.Second, time.Minute} {
		inTime(t, fmt.Sprint("after ", after), 3, func(t *testing.T, w *outWorld, s *esdb.Store) {
			b := keepBusy(t, s, "a", 2*time.Second, 0)
			time.Sleep(time.Second)
			const pause = 15 * time.Second
			w.nodes[0].Sleep()
			replaced := after < pause
			if replaced {
				time.Sleep(after)
				w.nodes[0].SetFaults(esdbserver.Faults{Lagging: true, Deposed: true, Wait: 500 * time.Millisecond})
				w.nodes[1].Elect()
				w.nodes[0].Become(esdbserver.Leader)
				time.Sleep(pause - after)
			} else {
				time.Sleep(pause)
			}
			before, _ := b.reached()
			w.nodes[0].Wake()
			if replaced {
				if after < 5*time.Second && before < 100 {
					t.Errorf("while the old leader slept, %d appends were acknowledged", before)
				}
				time.Sleep(time.Second)
				w.nodes[0].Exit()
			}
			took := b.recovers(time.Minute)
			t.Logf("well again after %v: %s", took, b.settle())
		})
	}
}

// TestARestoredBackupTurnsRed puts an old copy in place while the server is away: the
// open store turns red by itself, appends are refused at once, with the reason, and
// reads go on.
func TestARestoredBackupTurnsRed(t *testing.T) {
	for _, long := range []time.Duration{time.Second, 30 * time.Second, 5 * time.Minute} {
		inTime(t, fmt.Sprint("away for ", long), 1, func(t *testing.T, w *outWorld, s *esdb.Store) {
			mustAppend(t, s, "kept", 0, record(1, "one"))
			backup := w.nodes[0].Backup()
			b := keepBusy(t, s, "a", 2*time.Second, 0)
			time.Sleep(time.Second)
			w.nodes[0].Exit()
			time.Sleep(long)
			w.nodes[0].Restore(backup)
			w.nodes[0] = w.nodes[0].Again()
			w.pipes.serve(w.nodes[0], w.hosts[0])
			staysRed(t, s, b, "not there any more")
		})
	}
}

// TestACutStreamTurnsRed has somebody limit, delete or tombstone a stream that is
// written and followed.
func TestACutStreamTurnsRed(t *testing.T) {
	for name, cut := range map[string]func(somebody){
		"limited":    func(c somebody) { c.append("$$ledger.a", "$metadata", `{"$maxCount":1}`) },
		"truncated":  func(c somebody) { c.append("$$ledger.a", "$metadata", `{"$tb":3}`) },
		"deleted":    func(c somebody) { c.delete("ledger.a") },
		"tombstoned": func(c somebody) { c.tombstone("ledger.a") },
	} {
		inTime(t, name, 1, func(t *testing.T, w *outWorld, s *esdb.Store) {
			mustAppend(t, s, "kept", 0, record(1, "one"))
			b := keepBusy(t, s, "a", 2*time.Second, 0)
			time.Sleep(time.Second)
			cut(anybodyBy(t, w.hosts[0], w.pipes.dial))
			staysRed(t, s, b, "")
		})
	}
}

// TestNodesThatSleepDoNotHideTheLeader puts four of five nodes to sleep while the store
// looks for a leader, at length: each is given five seconds by then, and the one that
// leads is found before the four have had theirs.
func TestNodesThatSleepDoNotHideTheLeader(t *testing.T) {
	for i := range 5 { // nodes are tried in any order
		inTime(t, fmt.Sprint(i), 5, func(t *testing.T, w *outWorld, s *esdb.Store) {
			mustAppend(t, s, "before", 0, record(1, "one"))
			for _, n := range w.nodes {
				n.Sleep()
			}
			b := keepBusy(t, s, "a", 2*time.Second, 0)
			time.Sleep(time.Minute)
			w.nodes[i].Wake()
			w.nodes[i].Elect()
			took := b.recovers(time.Minute)
			if t.Logf("found after %v", took); took > 8*time.Second {
				t.Errorf("the leader was found after %v", took)
			}
			b.settle()
			for _, n := range w.nodes {
				n.Wake()
			}
		})
	}
}

// staysRed waits until history is known to be changed, and looks what can still be
// done.
func staysRed(t *testing.T, s *esdb.Store, b *busy, says string) {
	t.Helper()
	for began := time.Now(); !b.isRed() && time.Since(began) < time.Minute; {
		time.Sleep(100 * time.Millisecond)
	}
	b.stop()
	b.work.Wait()
	if _, is := errors.AsType[*esdb.FaultError](s.Fault()); !is || !strings.Contains(s.Fault().Error(), says) {
		t.Fatalf("a minute later its fault is %v, want one that says %q", s.Fault(), says)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	began := time.Now()
	_, err := s.Append(ctx, "another", 0, record(7, "seven"))
	if _, is := errors.AsType[*esdb.FaultError](err); !is || time.Since(began) > time.Second {
		t.Errorf("an append is answered after %v: %v", time.Since(began), err)
	}
	if got := read(t, s, "kept"); len(got) != 1 {
		t.Errorf("of another stream it reads %d records", len(got))
	}
	if err := s.Barrier(ctx); err != nil {
		t.Error(err)
	}
	t.Logf("%v; %s", s.Fault(), b.summary())
}

// TestASilentSubscriptionIsLeft lets an open subscription give nothing any more,
// without an end. Whoever follows learns of what is new all the same: of what the
// store itself has appended at the second look, of what others have once a quorum
// was asked, ten seconds later. That it comes no sooner shows that it does not come
// by the subscription.
func TestASilentSubscriptionIsLeft(t *testing.T) {
	for _, tt := range []struct {
		name          string
		silence       func(w *outWorld)
		own           bool
		least, utmost time.Duration
	}{
		{"an append of its own", func(w *outWorld) { w.nodes[0].SetFaults(esdbserver.Faults{Silent: true}) }, true, time.Second / 2, 5 * time.Second},
		{"an append of another's", func(w *outWorld) { w.nodes[0].SetFaults(esdbserver.Faults{Silent: true}) }, false, 5 * time.Second, 15 * time.Second},
		{"at a leader that was replaced and does not know it", func(w *outWorld) {
			w.nodes[0].SetFaults(esdbserver.Faults{Silent: true, Lagging: true, Deposed: true, Wait: time.Second})
			w.nodes[1].Elect()
			w.nodes[0].Become(esdbserver.Leader)
		}, false, 5 * time.Second, 30 * time.Second},
	} {
		inTime(t, tt.name, 3, func(t *testing.T, w *outWorld, s *esdb.Store) {
			_, connection := w.pipes.address(3)
			writer := openBy(t, connection, newNetwork(w.pipes.dial), esdb.Options{})
			told := count(t, s)
			for n := range 3 {
				mustAppend(t, writer, "a", eventstore.Revision(n), record(n, "x"))
				began := time.Now()
				reach(t, told, n+1)
				if took := time.Since(began); n > 0 && took > 0 {
					t.Errorf("while all was well record %d came after %v", n+1, took)
				}
				time.Sleep(100 * time.Millisecond) // now there is a subscription
			}

			tt.silence(w)
			if tt.own {
				writer = s
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := writer.Append(ctx, "a", 3, record(3, "y")); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			reach(t, told, 4)
			if took := time.Since(began); took < tt.least || took > tt.utmost {
				t.Errorf("it was told after %v, want between %v and %v", took, tt.least, tt.utmost)
			}
		})
	}
}
