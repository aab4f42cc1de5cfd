//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/api/rest"
	"consentledger/api/wire"
	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/exit"
	ledgerserver "consentledger/cmd/internal/server"
	"consentledger/domain/rounds"
	"consentledger/eventstore/freeport"
	"consentledger/projections/transparency/merkle"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/mod/sumdb/note"

	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// A natsCluster is three NATS servers, each with a directory of its own.
type natsCluster struct {
	t       *testing.T
	dir     string
	ports   [3]int
	routes  [3]int
	servers [3]*server.Server
}

func newNATSCluster(t *testing.T) *natsCluster {
	t.Helper()
	c := &natsCluster{t: t, dir: t.TempDir()}
	for i := range c.servers {
		c.ports[i], c.routes[i] = freeport.Port(t), freeport.Port(t)
	}
	for i := range c.servers {
		c.start(i)
	}
	t.Cleanup(func() {
		for _, s := range c.servers {
			s.Shutdown()
			s.WaitForShutdown()
		}
	})
	eventually(t, "settled", func() string {
		leads := false
		for _, s := range c.servers {
			if !s.ReadyForConnections(time.Second) || !s.JetStreamIsCurrent() || s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) != 3 {
				return "not yet"
			}
			leads = leads || s.JetStreamIsLeader()
		}
		if !leads {
			return "no leader"
		}
		return "settled"
	})
	return c
}

func (c *natsCluster) start(i int) {
	c.t.Helper()
	var routes []string
	for _, port := range c.routes {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	s, err := server.NewServer(&server.Options{
		ServerName: fmt.Sprint("nats-", i), Host: "127.0.0.1", Port: c.ports[i], NoSigs: true, NoLog: true,
		Cluster: server.ClusterOpts{Name: "many", Host: "127.0.0.1", Port: c.routes[i]}, Routes: server.RoutesFromStr(strings.Join(routes, ",")),
		JetStream: true, StoreDir: filepath.Join(c.dir, fmt.Sprint(i)), SyncAlways: true,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	s.Start()
	c.servers[i] = s
}

func (c *natsCluster) url() string {
	var urls []string
	for _, port := range c.ports {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	return strings.Join(urls, ",")
}

// sharedOptions opens the directory of one of several processes.
func sharedOptions(store, vault, keys string) ledgerserver.DirOptions {
	return ledgerserver.DirOptions{Store: store, Vault: vault, VaultKeys: keys}
}

// databaseOf makes a database of a server.
func databaseOf(t *testing.T, s *pgserver.Server, name string) string {
	t.Helper()
	if _, err := s.SQL(t.Context(), "postgres", "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.Address(name)
}

// A fleet is processes that serve one ledger.
type fleet struct {
	t       *testing.T
	bin     string
	dir     string
	common  []string // flags of all
	options ledgerserver.DirOptions
	nats    *natsCluster
	pg      *pgserver.Server
	copies  func(i int) string // the file of keys of one member; nil: all have the same

	mu      sync.Mutex // of members: who is replaced
	members []*child
}

func newFleet(t *testing.T, pg *pgserver.Server, store, vault, views string, processes int) *fleet {
	f := &fleet{t: t, bin: build(t), dir: t.TempDir(), nats: newNATSCluster(t), pg: pg}
	keys := filepath.Join(f.dir, "keys")
	if out, err := cli(t, nil, "keys", "new", keys); err != nil {
		t.Fatal(out, err)
	}
	f.common = []string{"--store", store, "--vault", vault, "--vault-keys", keys, "--nats", f.nats.url(), "--origin", "logs.example.com/many"}
	if views != "" { // else each process has read models of its own
		f.common = append(f.common, "--views", views)
	}
	f.options = sharedOptions(store, vault, keys)
	for i := range processes {
		f.members = append(f.members, f.launch(i))
	}
	return f
}

func (f *fleet) launch(i int) *child {
	f.t.Helper()
	return launchWith(f.t, f.bin, f.arguments(i)...)
}

// arguments are those of one member.
func (f *fleet) arguments(i int) []string {
	name := fmt.Sprint("ledger-", i)
	args := []string{"serve", "--data", filepath.Join(f.dir, name), "--http", "127.0.0.1:0", "--process", name}
	args = append(args, f.common...)
	if f.copies != nil {
		args = append(args, "--vault-keys", f.copies(i)) // the last one counts
	}
	return args
}

func (f *fleet) member(i int) *child {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.members[i]
}

// replace starts a member anew that was killed or stopped.
func (f *fleet) replace(i int) {
	c := f.launch(i)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[i] = c
}

// An outage is something that chaos does, and how often it did.
type outage struct {
	name  string
	do    func(ctx context.Context, i int)
	count atomic.Int64
}

// outages are what chaos does to processes, and in the long form to what they stand on.
// None sleeps for longer than most.
func (f *fleet) outages(rng *rand.Rand, most time.Duration, long bool) []*outage {
	all := []*outage{
		{name: "killed", do: func(_ context.Context, i int) {
			f.member(i).kill(f.t)
			f.replace(i)
		}},
		{name: "paused", do: func(ctx context.Context, i int) {
			c := f.member(i)
			f.signal(c, syscall.SIGSTOP)
			pauseFor(ctx, time.Duration(rng.Int64N(int64(most))))
			f.signal(c, syscall.SIGCONT)
		}},
		{name: "restarted", do: func(_ context.Context, i int) {
			f.member(i).stop(f.t)
			f.replace(i)
		}},
	}
	if !long {
		return all
	}
	return append(all,
		&outage{name: "NATS nodes restarted", do: func(ctx context.Context, i int) {
			f.nats.servers[i].Shutdown()
			f.nats.servers[i].WaitForShutdown()
			pauseFor(ctx, time.Duration(rng.IntN(3000))*time.Millisecond)
			f.nats.start(i)
		}},
		&outage{name: "PostgreSQL restarted", do: func(ctx context.Context, _ int) {
			err := f.pg.Stop(context.WithoutCancel(ctx), true)
			pauseFor(ctx, time.Duration(rng.IntN(2000))*time.Millisecond)
			if err := errors.Join(err, f.pg.Start(context.WithoutCancel(ctx))); err != nil {
				f.t.Error(err)
			}
		}})
}

// happened reports whether each did.
func happened(outages []*outage) bool {
	return !slices.ContainsFunc(outages, func(o *outage) bool { return o.count.Load() == 0 })
}

// chaos does one after the other until ctx is done, the next one when calm returns.
func (f *fleet) chaos(ctx context.Context, rng *rand.Rand, outages []*outage, calm func(ctx context.Context, n int)) {
	for n := 0; ctx.Err() == nil && !f.t.Failed(); n++ {
		o := outages[n%len(outages)]
		o.do(ctx, rng.IntN(len(f.members)))
		o.count.Add(1)
		pauseFor(ctx, time.Duration(rng.IntN(1500))*time.Millisecond)
		calm(ctx, n+1)
	}
}

// everyOutage is how often each kind of outage happens in the long form at most.
const everyOutage = 8

// calmUntil lets n outages be over by the time that so large a part of all withdrawals is
// done. So how long the long form takes is the time of a bounded number of outages, while
// which little is done, and that of the withdrawals between them. Without it those would
// take as long as the outages go on: whoever asks a process that sleeps waits for it.
func calmUntil(done *atomic.Int64, withdrawals, kinds int) func(context.Context, int) {
	outages := kinds * max(1, min(everyOutage, withdrawals/100))
	return func(ctx context.Context, n int) {
		for ctx.Err() == nil && done.Load() < int64(withdrawals)*int64(n)/int64(outages) {
			pauseFor(ctx, 50*time.Millisecond)
		}
	}
}

func (f *fleet) signal(c *child, s os.Signal) {
	if err := c.cmd.Process.Signal(s); err != nil {
		f.t.Errorf("signal %v: %v", s, err)
	}
}

// asker posts to members. A member that sleeps is waited for a short while: its
// connections live.
type asker struct {
	f      *fleet
	client http.Client
}

func newAsker(f *fleet) *asker {
	return &asker{f: f, client: http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}}
}

func (a *asker) post(ctx context.Context, i int, path string, body []byte) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.f.member(i).http+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/cloudevents+json")
	if !strings.HasSuffix(path, "/events") {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

// record says something at any member, from one on, until it has a receipt. It returns
// who gave it.
func (a *asker) record(ctx context.Context, b *book, w *wish, from int) (giver int, err error) {
	for n := from; ; n++ {
		giver = n % len(a.f.members)
		status, text, err := a.post(ctx, giver, "/v1/apps/smartkey/events", w.body)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		var receipt wire.Receipt
		switch {
		case err != nil || status >= 500 || status == http.StatusTooManyRequests:
			time.Sleep(20 * time.Millisecond)
			continue
		case status >= 300:
			return 0, fmt.Errorf("%s is refused: %d %s", w.id, status, text)
		}
		if err := json.Unmarshal(text, &receipt); err != nil {
			return 0, err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if w.receipt != (wire.Receipt{}) && w.receipt != receipt {
			return 0, fmt.Errorf("%s has two receipts: %v, %v", w.id, w.receipt, receipt)
		}
		w.receipt = receipt
		return giver, nil
	}
}

// freshness is what the others said after a withdrawal.
type freshness struct{ asked, unknown, allowed, denied atomic.Int64 }

// withdrawAndAsk has a person agree at one member, withdraw at another, and asks all the
// others at once. None may say "allowed".
//
// Nobody else speaks for the person meanwhile: a consent that somebody gives after the
// withdrawal may be allowed. Nor is it always the same person, whose history would grow
// with the number of withdrawals, and with it what each of them costs.
func (a *asker) withdrawAndAsk(ctx context.Context, b *book, client, n int, count *freshness) error {
	person := fmt.Sprint(personPrefix, "fresh-", client, "-", n/40)
	begin := rand.IntN(len(a.f.members))
	if _, err := a.record(ctx, b, b.wish("consent.given", person, demo.Object{"act": "agree-popup", "locale": "en"}), begin); err != nil {
		return err
	}
	check := []byte(fmt.Sprintf(`{"subject":%q,"purpose":"personalisation"}`, person))
	ask := func(i int) (allowed, known bool) {
		status, text, err := a.post(ctx, i, "/v1/apps/smartkey/check", check)
		var answer struct {
			Allowed bool
			Status  string
		}
		if err != nil || status != http.StatusOK || json.Unmarshal(text, &answer) != nil {
			return false, false
		}
		return answer.Allowed, answer.Status != "unknown"
	}
	for i := range a.f.members { // they remember the grant
		if allowed, known := ask(i); known && allowed {
			count.allowed.Add(1)
		}
	}

	giver, err := a.record(ctx, b, b.wish("consent.withdrawn", person, demo.Object{"all": true}), rand.IntN(len(a.f.members)))
	if err != nil {
		return err
	}
	var both sync.WaitGroup
	var wrong atomic.Int64
	for i := range a.f.members {
		if i == giver {
			continue
		}
		both.Go(func() {
			allowed, known := ask(i)
			count.asked.Add(1)
			switch {
			case allowed:
				wrong.Add(1)
			case known:
				count.denied.Add(1)
			default:
				count.unknown.Add(1)
			}
		})
	}
	both.Wait()
	if wrong.Load() > 0 {
		return fmt.Errorf("withdrawal %d: %d processes said allowed after another had given a receipt for it", n, wrong.Load())
	}
	return nil
}

// wish returns a new wish of what one person says.
func (b *book) wish(kind, person string, data demo.Object) *wish {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := &wish{id: fmt.Sprint("wish-", len(b.wishes)), kind: kind, person: person}
	e := demo.Event(w.id, w.kind, w.person, time.Time{}, data)
	e["source"] = killSource
	body, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and maps make JSON
	}
	w.body = body
	b.wishes = append(b.wishes, w)
	return w
}

// meet has a person whom nobody knows yet come to all members at once.
func (a *asker) meet(ctx context.Context, b *book, n int) error {
	errs := make([]error, len(a.f.members))
	var together sync.WaitGroup
	for i := range a.f.members {
		w := b.wish("consent.given", fmt.Sprint(personPrefix, "met-", n), demo.Object{"act": "agree-popup", "locale": "en"})
		together.Go(func() { _, errs[i] = a.record(ctx, b, w, i) })
	}
	together.Wait()
	return errors.Join(errs...)
}

// A watcher keeps every checkpoint that any member served.
type watcher struct {
	mu   sync.Mutex
	seen map[int64]map[merkle.Hash]bool
}

func (w *watcher) watch(ctx context.Context, a *asker, every time.Duration) {
	for ctx.Err() == nil {
		for i := range a.f.members {
			resp, err := a.client.Get(a.f.member(i).http + "/log/smartkey/checkpoint")
			if err != nil {
				continue
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				continue
			}
			body, _, _ := strings.Cut(string(text), "\n\n")
			c, err := merkle.ParseCheckpoint(body + "\n")
			if err != nil {
				a.f.t.Errorf("process %d serves %q: %v", i, text, err)
				return
			}
			w.mu.Lock()
			if w.seen[c.Size] == nil {
				w.seen[c.Size] = map[merkle.Hash]bool{}
			}
			w.seen[c.Size][c.Root] = true
			w.mu.Unlock()
		}
		pauseFor(ctx, every)
	}
}

// roads has clients at work on both roads of NATS until ctx is done, each of which rests
// a while between two events.
func (f *fleet) roads(ctx context.Context, b *book, rest time.Duration) {
	var workers sync.WaitGroup
	defer workers.Wait()
	for n := range 5 {
		nc, err := nats.Connect(f.nats.url(), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
		if err != nil {
			f.t.Error(err)
			return
		}
		queued := n >= 3
		workers.Go(func() {
			defer nc.Close()
			for ctx.Err() == nil {
				w := b.next(queued)
				for done := false; !done && ctx.Err() == nil; { // the same again until it is answered
					one, cancel := context.WithTimeout(ctx, 2*time.Second)
					if queued {
						done = b.send(one, nc, w)
					} else {
						done = b.ask(one, nc, w)
					}
					cancel()
				}
				pauseFor(ctx, rest)
			}
		})
	}
}

func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// Three processes serve one ledger and are killed, paused and restarted under load.
// What was acknowledged is recorded exactly once, every person has one pseudonym, every
// size of the log one root, and no process says "allowed" once another has given a
// receipt for an opt-out.
//
// The long form withdraws as often as the environment says, as 10,000 times with
//
//	CONSENTLEDGER_ROUNDS=10000 go test -run TestManyProcesses -timeout 60m ./cmd/consentledger
//
// and takes PostgreSQL and nodes of NATS away as well.
func TestManyProcesses(t *testing.T) {
	t.Parallel() // processes of their own
	pg := pgservertest.Serve(t)
	t.Run("EventStoreDB", func(t *testing.T) {
		store := newEventStore(t)
		db := databaseOf(t, pg, "on_esdb")
		manyProcesses(t, newFleet(t, pg, store.url(), db, "", 3))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		db := databaseOf(t, pg, "on_pg")
		manyProcesses(t, newFleet(t, pg, db, db, db, 3))
	})
}

func manyProcesses(t *testing.T, f *fleet) {
	clients, most, rest, look := 4, time.Second, 30*time.Millisecond, 20*time.Millisecond
	withdrawals, long := rounds.Of(t, 20), os.Getenv(rounds.Variable) != ""
	if long {
		clients, most = 16, 25*time.Second                      // longer than a turn is kept for who sleeps
		rest, look = 500*time.Millisecond, 200*time.Millisecond // what else is done leaves room for withdrawals
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	prepare(t, f.member(0))
	a, b := newAsker(f), &book{rng: rand.New(rand.NewPCG(seed, 0))}
	for i := range f.members {
		eventually(t, "never-asked", func() string { return may(t, &f.member(i).running, "somebody", "personalisation") })
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w := &watcher{seen: map[int64]map[merkle.Hash]bool{}}
	var around sync.WaitGroup
	rng := rand.New(rand.NewPCG(seed, 1))
	outages := f.outages(rng, most, long)
	var next, done atomic.Int64
	calm := func(context.Context, int) {}
	if long {
		calm = calmUntil(&done, withdrawals, len(outages))
	}
	around.Go(func() { f.chaos(ctx, rng, outages, calm) })
	around.Go(func() { f.roads(ctx, b, rest) })
	around.Go(func() { w.watch(ctx, a, look) })

	var count freshness
	var crowd sync.WaitGroup
	began := time.Now()
	for client := range clients {
		crowd.Go(func() {
			own := 0
			for n := int(next.Add(1)); (n <= withdrawals || !happened(outages)) && !t.Failed(); n = int(next.Add(1)) {
				err := a.withdrawAndAsk(ctx, b, client, own, &count)
				own++
				done.Add(1)
				if err == nil && n%4 == 0 {
					err = a.meet(ctx, b, n)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	crowd.Wait()
	stop()
	around.Wait()
	t.Logf("%d withdrawals in %s", done.Load(), time.Since(began).Round(time.Second))
	if asked := count.asked.Load(); asked < 2*int64(withdrawals) && !t.Failed() {
		t.Errorf("%d times another process was asked after %d withdrawals: want two each", asked, withdrawals)
	}
	t.Logf("after a withdrawal %d asked, %d denied, %d unknown; %d times a yes was remembered",
		count.asked.Load(), count.denied.Load(), count.unknown.Load(), count.allowed.Load())
	for _, o := range outages {
		t.Logf("%s: %d", o.name, o.count.Load())
	}
	if (count.denied.Load() == 0 || count.allowed.Load() == 0) && !t.Failed() {
		t.Error("this shows nothing")
	}

	rejected := f.settle()
	f.agree(w)
	for i := range f.members {
		f.member(i).stop(t)
	}
	b.log(t)
	f.check(b, rejected, w)
}

// Half of what several processes need is refused before anything is opened, and the
// error says what is missing.
func TestHalfOfSeveralProcessesIsRefused(t *testing.T) {
	const store, vault, nats = "--store=esdb://node:2113?tls=false", "--vault=postgres://ledger@127.0.0.1/ledger", "--nats=nats://127.0.0.1:1"
	keys := filepath.Join(t.TempDir(), "keys")
	if out, err := cli(t, nil, "keys", "new", keys); err != nil {
		t.Fatal(out, err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{vault, nats, "--vault-keys", keys}, "--store"},
		{[]string{vault, store, nats}, "--vault-keys"},
		{[]string{vault, store, "--vault-keys", keys}, "--nats"},
		{[]string{vault, store, nats, "--vault-keys", keys, "--demo"}, "--demo"},
		{[]string{vault, store, nats, "--vault-keys", keys, "--process", "ada's ledger"}, "--process"},
		{[]string{"--process", "ledger-1"}, "--vault"},
	} {
		data := filepath.Join(t.TempDir(), "data")
		out, err := cli(t, nil, append([]string{"serve", "--data", data, "--http", "127.0.0.1:0"}, c.args...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %s, %v; want an error that says %s", c.args, out, err, c.want)
		}
		if _, is := errors.AsType[exit.UsageError](err); !is {
			t.Errorf("%v: %v is no mistake in the call", c.args, err)
		}
		if entries, err := os.ReadDir(data); err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "FORMAT" }) {
			t.Errorf("%v: a data directory was made", c.args)
		}
	}
}

// settle waits until the stream is drained and everybody is well, and returns what was
// rejected.
func (f *fleet) settle() []intake.RejectedMessage {
	t := f.t
	t.Helper()
	nc, err := nats.Connect(f.nats.url(), nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "0 messages", func() string {
		s, err := js.Stream(t.Context(), intake.InStream)
		if err != nil {
			return err.Error()
		}
		if r := s.CachedInfo().Config.Replicas; r != 3 {
			t.Errorf("stream %s has %d replicas", intake.InStream, r)
		}
		return fmt.Sprint(s.CachedInfo().State.Msgs, " messages")
	})
	for i := range f.members {
		eventually(t, "", func() string { return verbose(t, &f.member(i).running) })
	}
	return rejectedBy(t, &f.member(0).running)
}

// agree waits until all members serve the same checkpoint, of everything, and says who
// has the turns.
func (f *fleet) agree(w *watcher) {
	t := f.t
	t.Helper()
	eventually(t, "one checkpoint", func() string {
		var all []string
		for i := range f.members {
			resp, err := http.Get(f.member(i).http + "/log/smartkey/checkpoint")
			if err != nil {
				return err.Error()
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				return err.Error()
			}
			all = append(all, string(text))
		}
		if slices.Sort(all); all[0] != all[len(all)-1] {
			return fmt.Sprintf("%q", all)
		}
		return "one checkpoint"
	})
	holders := map[string]string{}
	eventually(t, fmt.Sprint(len(ledgerserver.Works), " turns"), func() string {
		clear(holders)
		for i := range f.members {
			var s rest.StatusReport
			resp, err := http.Get(f.member(i).http + "/v1/status")
			if err != nil {
				return err.Error()
			}
			err = json.NewDecoder(resp.Body).Decode(&s)
			resp.Body.Close()
			if err != nil || s.Process == nil || s.Process.Name != fmt.Sprint("ledger-", i) {
				return fmt.Sprint(err, s.Process)
			}
			for _, turn := range s.Process.Turns {
				if other, has := holders[turn]; has {
					return fmt.Sprintf("%s and %s have the turn %s", other, s.Process.Name, turn)
				}
				holders[turn] = s.Process.Name
			}
		}
		return fmt.Sprint(len(holders), " turns")
	})
	t.Logf("turns: %v; %d checkpoints were seen", holders, len(w.seen))
}

// check reads everything once all members have ended.
func (f *fleet) check(b *book, rejected []intake.RejectedMessage, w *watcher) {
	t := f.t
	t.Helper()
	dir := filepath.Join(f.dir, "ledger-0")
	d, err := ledgerserver.OpenDataDirWith(t.Context(), dir, "live", false, f.options)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	checkWishes(t, d, b, rejected)
	f.checkTree(d, w)
}

// checkTree derives the log of the app from the store, and holds against it the newest
// signed checkpoint, and all that were served.
func (f *fleet) checkTree(d *ledgerserver.DataDir, w *watcher) {
	t := f.t
	t.Helper()
	c, err := d.LogConfig(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var edge merkle.Edge
	roots := map[int64]merkle.Hash{0: edge.Root()}
	for r, err := range d.Store.ReadAll(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(r.Stream), "-smartkey-") || strings.HasSuffix(string(r.Stream), "-smartkey") {
			edge.Append(r.Data, func(merkle.Tile, []byte) {})
			roots[edge.Size] = edge.Root()
		}
	}
	signed, err := c.Keep.Newest(t.Context(), "smartkey")
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := c.Keep.VerifierKey("smartkey")
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	got, err := merkle.Open(signed, v, "logs.example.com/many/smartkey")
	if err != nil {
		t.Fatal(err)
	}
	if got.Root != roots[got.Size] { // what was recorded while the last process ended is not signed yet
		t.Errorf("%d records with the root %s are signed, the store gives %s", got.Size, got.Root, roots[got.Size])
	}
	for size, served := range w.seen {
		if root, has := roots[size]; !has || len(served) != 1 || !served[root] || size > got.Size {
			t.Errorf("%d roots were served for %d records, of %d that are signed and %d that there are", len(served), size, got.Size, edge.Size)
		}
	}
}
