package intake

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore/freeport"
	"consentledger/eventstore/memory"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A cluster is three NATS servers, each with a directory of its own.
type cluster struct {
	t       *testing.T
	servers [3]*server.Server
	clients [3]int // ports
	routes  [3]int
	dir     string
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir()}
	for i := range c.servers {
		c.clients[i], c.routes[i] = freeport.Port(t), freeport.Port(t)
	}
	for i := range c.servers {
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range c.servers {
			c.stop(i)
		}
	})
	c.settled()
	return c
}

func (c *cluster) of(i int) string { return filepath.Join(c.dir, fmt.Sprint("s", i)) }

func (c *cluster) start(i int) {
	c.t.Helper()
	var routes []string
	for _, port := range c.routes {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	s, err := server.NewServer(&server.Options{
		ServerName: fmt.Sprint("s", i), Host: "127.0.0.1", Port: c.clients[i], NoSigs: true, NoLog: true,
		Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: c.routes[i]}, Routes: server.RoutesFromStr(strings.Join(routes, ",")),
		JetStream: true, StoreDir: c.of(i), SyncAlways: true,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	s.Start()
	c.servers[i] = s
}

func (c *cluster) stop(i int) {
	c.servers[i].Shutdown()
	c.servers[i].WaitForShutdown()
}

// settled waits until the servers have a leader and know each other.
func (c *cluster) settled() {
	c.t.Helper()
	until(c.t, "the cluster has a leader, and three servers", func() bool {
		leads := false
		for _, s := range c.servers {
			if !s.ReadyForConnections(time.Second) || !s.JetStreamIsCurrent() || len(s.JetStreamClusterPeers()) != 3 && s.JetStreamIsLeader() {
				return false
			}
			leads = leads || s.JetStreamIsLeader()
		}
		return leads
	})
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	(&testServer{t: t}).until(what, ok)
}

// ledger returns a ledger that remembers, and is connected to the cluster.
func (c *cluster) ledger() rejectedServer {
	c.t.Helper()
	var urls []string
	for _, port := range c.clients {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	nc, err := nats.Connect(strings.Join(urls, ","), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	h := &testServer{t: c.t, nc: nc, ledger: openLedger(c.t), log: &lockedBuffer{}}
	h.js, _ = jetstream.New(nc)
	h.faulty = &faulty{Ledger: h.ledger}
	h.config = Config{Conn: nc, Ledger: h.faulty, Log: newLog(h.log), Seal: flip, Unseal: flip, Watch: new(Watch), Rows: new(memory.Rows)}
	h.config.Apps = func() []ident.AppName { return []ident.AppName{"smartkey"} }
	return rejectedServer{h, &Rejections{Config: h.config}}
}

// restart starts the intake, again and again while the cluster chooses a leader of
// some stream, as whoever supervises the ledger does.
func (d rejectedServer) restart() (stop func()) {
	d.t.Helper()
	d.until("the intake starts", func() bool {
		var err error
		stop, err = d.tryStart()
		return err == nil
	})
	return stop
}

// insist publishes withdrawals, each until it is acknowledged, as a sender does.
func (d rejectedServer) insist(from, to int, between func(i int)) {
	d.t.Helper()
	for i := from; i <= to; i++ {
		data := event(fmt.Sprint(i), "consent.withdrawn", fmt.Sprint("person-", i), `{"all":true}`)
		d.until("a withdrawal is acknowledged", func() bool {
			ctx, cancel := context.WithTimeout(d.t.Context(), 2*time.Second)
			defer cancel()
			_, err := d.js.Publish(ctx, "consent.v1.smartkey.in.consent.withdrawn", data)
			return err == nil
		})
		between(i)
	}
}

// stepDown lets the stream's leader be another one.
func (d rejectedServer) stepDown() {
	d.t.Helper()
	_, err := d.nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+InStream, nil, time.Minute)
	if err != nil {
		d.t.Fatal(err)
	}
}

// leader returns which server leads the stream; none: nobody does now.
func (c *cluster) leader(d rejectedServer) (leader int, current bool) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
	defer cancel()
	s, err := d.js.Stream(ctx, InStream)
	if err != nil || s.CachedInfo().Cluster == nil {
		return 0, false
	}
	info := s.CachedInfo().Cluster
	if _, err := fmt.Sscanf(info.Leader, "s%d", &leader); err != nil {
		return 0, false
	}
	current = len(info.Replicas) == 2
	for _, r := range info.Replicas {
		current = current && r.Current && !r.Offline
	}
	return leader, current
}

// distinct returns how many persons' withdrawals were taken.
func (d rejectedServer) distinct() int {
	ids := map[string]bool{}
	for _, id := range d.faulty.taken() {
		ids[id] = true
	}
	return len(ids)
}

// TestAClusterLosesNothingUnseen: three servers, and a stream with three replicas that
// an administrator made. The leader changes, a server ends, one comes back
// without its directory, and one with damaged blocks: nothing is lost, and nobody says so. All directories are
// lost: that is told.
func TestAClusterLosesNothingUnseen(t *testing.T) {
	c := startCluster(t)
	d := c.ledger()
	d.makeStream(ourStream(func(s *jetstream.StreamConfig) {
		s.Replicas, s.Discard, s.MaxMsgs, s.MaxAge, s.Duplicates, s.DenyDelete = 3, jetstream.DiscardOld, 100_000, time.Hour, 2*time.Minute, false
	}))
	d.insist(1, 5, func(int) {})
	stop := d.restart()
	quiet := func(taken int) {
		t.Helper()
		d.until("all are recorded", func() bool { return d.distinct() == taken })
		// A cluster that chooses a leader is away for a moment: then neither can be told.
		var rejected []RejectedMessage
		d.until("the rejected messages can be read", func() (ok bool) {
			var err error
			rejected, err = d.List(t.Context(), 0, 1000)
			return err == nil
		})
		d.until("whether messages were lost can be told", func() bool {
			return !strings.Contains(d.losses(), "cannot be told")
		})
		if d.losses() != "" || len(d.told()) > 0 || len(rejected) > 0 {
			t.Errorf("after %d: %q, %v, %+v", taken, d.losses(), d.told(), rejected)
		}
	}
	quiet(5)
	s, err := d.js.Stream(t.Context(), InStream)
	if err != nil {
		t.Fatal(err)
	}
	want, _, _ := wanted()
	if wrong := differ(&s.CachedInfo().Config, &want); len(wrong) > 0 || s.CachedInfo().Config.Replicas != 3 {
		t.Errorf("%d replicas, left: %v", s.CachedInfo().Config.Replicas, wrong)
	}

	// The leader steps down again and again while opt-outs come.
	d.insist(6, 30, func(i int) {
		if i%8 == 0 {
			d.stepDown()
		}
	})
	quiet(30)

	// The leader ends, and comes back.
	was, _ := c.leader(d)
	c.stop(was)
	d.insist(31, 40, func(int) {})
	c.start(was)
	quiet(40)

	// A server loses its directory, and gets everything from the others.
	lost := (was + 1) % 3
	c.stop(lost)
	if err := os.RemoveAll(c.of(lost)); err != nil {
		t.Fatal(err)
	}
	d.insist(41, 45, func(int) {})
	c.start(lost)
	d.until("the replicas are whole", func() bool { _, current := c.leader(d); return current })
	d.stepDown()
	d.insist(46, 50, func(int) {})
	quiet(50)

	// A server's blocks are damaged while messages wait in them.
	stop()
	d.insist(51, 60, func(int) {})
	c.damage((lost + 1) % 3)
	d.until("the replicas are whole", func() bool { _, current := c.leader(d); return current })
	stop = d.restart()
	quiet(60)
	stop()
	c.loseAll(d)
}

// damage overwrites what a server has in the blocks of the stream, while it is away.
func (c *cluster) damage(i int) {
	c.t.Helper()
	c.stop(i)
	blocks := 0
	err := filepath.WalkDir(c.of(i), func(name string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".blk" || !strings.Contains(name, InStream) {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil || len(text) == 0 {
			return err
		}
		blocks++
		for at := len(text) / 3; at < len(text); at += 64 {
			text[at] ^= 0x55
		}
		return os.WriteFile(name, text, 0o600)
	})
	if err != nil || blocks == 0 {
		c.t.Fatalf("%d blocks are damaged, %v", blocks, err)
	}
	c.start(i)
}

// loseAll takes all directories away while no ledger runs.
func (c *cluster) loseAll(d rejectedServer) {
	c.t.Helper()
	for i := range c.servers {
		c.stop(i)
		if err := os.RemoveAll(c.of(i)); err != nil {
			c.t.Fatal(err)
		}
	}
	for i := range c.servers {
		c.start(i)
	}
	c.settled()
	d.until("it is connected", d.nc.IsConnected)
	defer d.restart()()
	d.until("the loss is told", func() bool {
		return strings.Contains(d.losses(), "is another one than was known") && len(d.told()) == 1
	})
	d.insist(61, 61, func(int) {})
	d.until("the next is recorded", func() bool { return d.distinct() >= 61 })
}
