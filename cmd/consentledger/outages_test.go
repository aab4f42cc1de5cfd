//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"consentledger/api/rest"
	"consentledger/api/wire"
	"consentledger/cmd/internal/demo"
	ledgerserver "consentledger/cmd/internal/server"
	"consentledger/domain/rounds"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/projections/transparency/merkle"

	"github.com/nats-io/nats.go"
)

// callerWaits is how long the callers of these tests wait for an answer. A ledger that
// has none says so well before, however busy the machine is.
const callerWaits = 2 * time.Minute

// outageLength is how long the long form takes a part away.
const outageLength = 30 * time.Second

// An outageTest takes the parts of a fleet away, one after the other, under load.
type outageTest struct {
	*fleet
	long bool
	rest time.Duration // of a client between two calls
	book *book

	phase       atomic.Value // what is away now, in words
	calls       atomic.Int64 // over HTTP, since it is
	gone        atomic.Int64 // the member that was stopped meanwhile, from 1; 0: none was
	natsChanges atomic.Int64 // odd while a node of NATS is away
}

// The parts that a fleet stands on are away for a second and for longer, and replaced.
// No call lasts longer than its caller waits, /readyz says which part is missing and is
// well again once it is back, nobody has to lend a hand, and what was acknowledged is
// recorded once.
//
// The short form takes some of the parts away, each until all members have noticed. With
// CONSENTLEDGER_ROUNDS all are, for half a minute each, and under more load.
func TestOutagesOfAFleet(t *testing.T) {
	t.Parallel() // processes of their own
	t.Run("EventStoreDB", func(t *testing.T) {
		t.Parallel()
		pg, store := newPrimaries(t), newEventStore(t)
		address := pg.address(t, "ledger")
		o := newOutageTest(t, newFleet(t, pg.now(), store.url(), address, address, 3))

		o.during(func() {
			o.blink("event store", func() { store.stop() }, store.start)
			o.away("event store", []string{"store"}, func() { store.stop() }, store.start)
			o.nodesOfNATS()
			if o.long {
				parts := []string{"vault", "read models"}
				o.away("PostgreSQL", parts, func() { pg.stop(t) }, func() { pg.start(t) })
				o.away("PostgreSQL, until a standby takes over", parts, func() { pg.stop(t) }, func() { pg.promote(t) })
			}
		})
		o.settled()
		if o.long {
			o.loses(pg, "vault")
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		pg := newPrimaries(t)
		address := pg.address(t, "ledger")
		o := newOutageTest(t, newFleet(t, pg.now(), address, address, address, 3))

		parts := []string{"store", "vault", "read models"}
		o.during(func() {
			o.blink("PostgreSQL", func() { pg.stop(t) }, func() { pg.start(t) })
			if o.long {
				o.away("PostgreSQL", parts, func() { pg.stop(t) }, func() { pg.start(t) })
			}
			o.away("PostgreSQL, until a standby takes over", parts, func() { pg.stop(t) }, func() { pg.promote(t) })
		})
		o.settled()
		o.loses(pg, "store")
	})
}

func newOutageTest(t *testing.T, f *fleet) *outageTest {
	prepare(t, f.member(0))
	for i := range f.members {
		eventually(t, "never-asked", func() string { return may(t, &f.member(i).running, "somebody", "personalisation") })
	}
	o := &outageTest{
		fleet: f, long: os.Getenv(rounds.Variable) != "", rest: 250 * time.Millisecond,
		book: &book{rng: rand.New(rand.NewPCG(rand.Uint64(), 0))},
	}
	if o.long {
		o.rest = 30 * time.Millisecond
	}
	o.phase.Store("nothing is away")
	return o
}

// during has clients at work on all roads while something happens to what they need.
func (o *outageTest) during(happens func()) {
	ctx, stop := context.WithCancel(o.t.Context())
	defer stop()
	var crowd sync.WaitGroup
	for i := range o.members {
		crowd.Go(func() { o.record(ctx, i) })
		crowd.Go(func() { o.ask(ctx, i) })
	}
	queueing, asking := o.connect(), o.connect()
	crowd.Go(func() { o.queue(ctx, queueing) })
	crowd.Go(func() { o.askOverNATS(ctx, asking) })
	happens()
	stop()
	crowd.Wait()
}

// call posts to a member, and fails t if there is no answer while the caller waits.
func (o *outageTest) call(i int, method, path string, body []byte) (status int, text []byte) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.t.Context()), callerWaits)
	defer cancel()
	asked := o.member(i)
	r, err := http.NewRequestWithContext(ctx, method, asked.http+path, bytes.NewReader(body))
	if err != nil {
		o.t.Error(err)
		return 0, nil
	}
	r.Header.Set("Content-Type", "application/json")
	if strings.HasSuffix(path, "/events") {
		r.Header.Set("Content-Type", "application/cloudevents+json")
	}

	o.calls.Add(1)
	resp, err := http.DefaultClient.Do(r)
	if err == nil {
		defer resp.Body.Close()
		text, err = io.ReadAll(resp.Body)
		status = resp.StatusCode
	}
	if stopped := o.gone.Load() == int64(i)+1 || o.member(i) != asked; err != nil && stopped && ctx.Err() == nil {
		return 0, nil
	}
	if err != nil {
		o.t.Errorf("%s: process %d does not answer %s %s: %v", o.phase.Load(), i, method, path, err)
		return 0, nil
	}
	return status, text
}

// record says things at one member, each until it has a receipt or nobody waits for it
// any more.
func (o *outageTest) record(ctx context.Context, i int) {
	for ctx.Err() == nil && !o.t.Failed() {
		w := o.book.next(false)
		for ctx.Err() == nil && !o.t.Failed() && !o.say(i, w) {
			pauseFor(ctx, 100*time.Millisecond)
		}
		pauseFor(ctx, o.rest)
	}
}

// say sends a wish once, and reports whether it has come to an end.
func (o *outageTest) say(i int, w *wish) bool {
	status, text := o.call(i, http.MethodPost, "/v1/apps/smartkey/events", w.body)
	var receipt wire.Receipt
	switch {
	case status == 0 || status >= 500 || status == http.StatusTooManyRequests:
		return false
	case status >= 300:
		o.book.mu.Lock()
		defer o.book.mu.Unlock()
		w.refused = true
		return true
	}
	if err := json.Unmarshal(text, &receipt); err != nil {
		o.t.Error(err)
		return true
	}
	o.book.mu.Lock()
	defer o.book.mu.Unlock()
	w.receipt = receipt
	return true
}

// ask asks one member what a client and an officer want to know.
func (o *outageTest) ask(ctx context.Context, i int) {
	for n := 0; ctx.Err() == nil && !o.t.Failed(); n++ {
		check := fmt.Sprintf(`{"subject":"%s%d","purpose":"personalisation"}`, personPrefix, n%7)
		o.call(i, http.MethodPost, "/v1/apps/smartkey/check", []byte(check))
		o.call(i, http.MethodGet, "/v1/apps/smartkey/requests", nil)
		o.call(i, http.MethodGet, "/v1/status", nil)
		pauseFor(ctx, o.rest)
	}
}

// queue puts events into JetStream, each until it is acknowledged.
func (o *outageTest) queue(ctx context.Context, nc *nats.Conn) {
	defer nc.Close()
	for ctx.Err() == nil && !o.t.Failed() {
		w := o.book.next(true)
		for done := false; !done && ctx.Err() == nil; {
			one, cancel := context.WithTimeout(ctx, 5*time.Second)
			done = o.book.send(one, nc, w)
			cancel()
		}
		pauseFor(ctx, o.rest)
	}
}

// askOverNATS asks whoever of the members NATS gives the question to. A question that was
// asked while a node of NATS was away may be lost with it.
func (o *outageTest) askOverNATS(ctx context.Context, nc *nats.Conn) {
	defer nc.Close()
	for n := 0; ctx.Err() == nil && !o.t.Failed(); n++ {
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), callerWaits)
		changes := o.natsChanges.Load()
		go func() { // what is lost with a node is not waited for once a node went or came
			defer cancel()
			for one.Err() == nil && o.natsChanges.Load() == changes {
				pauseFor(one, 100*time.Millisecond)
			}
		}()
		check := fmt.Sprintf(`{"subject":"%s%d","purpose":"personalisation"}`, personPrefix, n%7)
		_, err := nc.RequestWithContext(one, "consent.v1.smartkey.check", []byte(check))
		cancel()
		if err != nil && changes%2 == 0 && changes == o.natsChanges.Load() {
			o.t.Errorf("%s: a question over NATS has no answer: %v", o.phase.Load(), err)
		}
		pauseFor(ctx, o.rest)
	}
}

func (o *outageTest) connect() *nats.Conn {
	nc, err := nats.Connect(o.nats.url(), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		o.t.Fatal(err)
	}
	return nc
}

// foundations are the parts that a fleet stands on, as /readyz calls them.
var foundations = []string{"nats", "store", "vault", "read models"}

// red returns what a member says is missing, and which of the foundations.
func (o *outageTest) red(i int) (missing []string, all string) {
	status, text := o.call(i, http.MethodGet, "/readyz?verbose", nil)
	var health rest.Health
	if err := json.Unmarshal(text, &health); err != nil {
		return nil, fmt.Sprintf("%d %s", status, text)
	}
	for _, c := range health.Checks {
		if c.OK {
			continue
		}
		all += c.Name + ": " + c.Detail + "\n"
		if slices.Contains(foundations, c.Name) {
			missing = append(missing, c.Name)
		}
	}
	if (status == http.StatusOK) != health.OK {
		o.t.Errorf("%d, and %s", status, text)
	}
	slices.Sort(missing)
	return missing, all
}

// awaitRed waits until every member says that these parts are missing, and no others.
func (o *outageTest) awaitRed(parts ...string) {
	o.t.Helper()
	want := slices.Sorted(slices.Values(parts))
	o.each(func(i int) {
		o.await(fmt.Sprintf("process %d says %v are missing", i, want), func() (bool, string) {
			missing, all := o.red(i)
			return slices.Equal(missing, want), all
		})
	})
}

// each does something with all members at once: one that waits for a part that is away
// keeps nobody from asking the others.
func (o *outageTest) each(do func(i int)) {
	var all sync.WaitGroup
	for i := range o.members {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// awaitWell waits until every member is well, and records.
func (o *outageTest) awaitWell() {
	o.t.Helper()
	o.each(func(i int) {
		o.await(fmt.Sprintf("process %d is well", i), func() (bool, string) {
			_, all := o.red(i)
			return all == "", all
		})
		w := o.book.next(false)
		o.await(fmt.Sprintf("process %d records", i), func() (bool, string) { return o.say(i, w), "" })
	})
}

// await asks until something is so. What it has seen instead it says after a while.
func (o *outageTest) await(what string, ask func() (bool, string)) {
	o.t.Helper()
	deadline := time.Now().Add(4 * time.Minute)
	for !o.t.Failed() {
		is, seen := ask()
		if is {
			return
		}
		if time.Now().After(deadline) {
			o.t.Errorf("%s: never: %s; but: %s", o.phase.Load(), what, seen)
			return
		}
		pauseFor(o.t.Context(), 50*time.Millisecond)
	}
}

// away takes parts away until all members say so, in the long form for half a minute. A
// member is stopped meanwhile, and started as soon as the parts are back.
func (o *outageTest) away(what string, parts []string, begin, end func()) {
	o.t.Helper()
	o.phase.Store(what + " is away")
	began := time.Now()
	begin()
	o.awaitRed(parts...)
	noticed := time.Since(began)
	if o.long {
		pauseFor(o.t.Context(), outageLength-time.Since(began))
	}
	stopped := o.stopsMeanwhile()
	ended := time.Since(began)
	o.phase.Store(what + " is back")
	end()
	back := time.Since(began)
	o.replace(stopped)
	started := time.Since(began)
	o.gone.Store(0)
	o.awaitWell()
	o.t.Logf("%s: noticed after %.1f s, a process ended after %.1f s, the part was back after %.1f s, the process after %.1f s, "+
		"and all was well after %.1f s and %d calls", what, noticed.Seconds(), ended.Seconds(), back.Seconds(), started.Seconds(),
		time.Since(began).Seconds(), o.calls.Swap(0))
}

// stopsMeanwhile asks a member to end while a part is away, the one that drains the
// stream if it has the turn still. What it has begun does not keep it.
func (o *outageTest) stopsMeanwhile() (i int) {
	o.t.Helper()
	var drains atomic.Int64
	o.each(func(n int) {
		var s rest.StatusReport
		_, text := o.call(n, http.MethodGet, "/v1/status", nil)
		if json.Unmarshal(text, &s) == nil && s.Process != nil && slices.Contains(s.Process.Turns, "intake") {
			drains.Store(int64(n))
		}
	})
	i = int(drains.Load())
	o.gone.Store(int64(i) + 1)
	o.ended(i)
	return i
}

// blink takes something away for a second.
func (o *outageTest) blink(what string, begin, end func()) {
	o.t.Helper()
	o.phase.Store(what + " is away for a second")
	begin()
	pauseFor(o.t.Context(), time.Second)
	end()
	o.awaitWell()
	o.calls.Store(0)
}

// nodesOfNATS kills one node of NATS, restarts a member without it, and then kills the
// others.
func (o *outageTest) nodesOfNATS() {
	kill := func(i int) { o.nats.servers[i].Shutdown(); o.nats.servers[i].WaitForShutdown() }
	first := rand.IntN(len(o.nats.servers))
	o.phase.Store("a node of NATS is killed")
	o.natsChanges.Add(1)
	kill(first)
	began := time.Now()
	o.awaitWell() // by the two that are left
	well := time.Since(began)
	o.replace(o.stopsMeanwhile())
	o.gone.Store(0)
	o.awaitWell()
	o.t.Logf("a node of NATS: all was well after %.1f s, and again with a new process after %.1f s", well.Seconds(), time.Since(began).Seconds())

	others := []int{(first + 1) % 3, (first + 2) % 3}
	o.away("NATS", []string{"nats"}, func() { kill(others[0]); kill(others[1]) }, func() {
		for i := range o.nats.servers {
			o.nats.start(i)
		}
	})
	o.natsChanges.Add(1)
}

// settled reads everything from outside: what was acknowledged is there, once.
func (o *outageTest) settled() {
	o.phase.Store("nothing is away")
	w := &watcher{seen: map[int64]map[merkle.Hash]bool{}}
	began := time.Now()
	rejected := o.settle()
	drained := time.Since(began)
	o.agree(w)
	o.t.Logf("the stream was drained after %.1f s, and all agreed after %.1f s", drained.Seconds(), time.Since(began).Seconds())
	o.book.log(o.t)
	d, err := ledgerserver.OpenDataDirWith(o.t.Context(), filepath.Join(o.t.TempDir(), "auditor"), "live", true, o.options)
	if err != nil {
		o.t.Fatal(err)
	}
	defer d.Close()
	checkWishes(o.t, d, o.book, rejected)
	o.checkTree(d, w)
}

// loses has an asynchronous standby take over that lacks what was acknowledged last. All
// members notice, say of which part, and record nothing more; nor does one that is
// started anew.
func (o *outageTest) loses(pg *primaries, part string) {
	o.t.Helper()
	o.phase.Store("a standby took over that lacks something")
	pg.follow(o.t)
	pg.run(o.t, func(ctx context.Context) error { return pg.newest().Stop(ctx, true) })
	for i := range o.members { // each knows of something new
		w := o.book.wish("consent.withdrawn", fmt.Sprint(personPrefix, "new-", i), demo.Object{"all": true})
		o.await("it records", func() (bool, string) { return o.say(i, w), "" })
	}
	pg.stop(o.t)
	pg.run(o.t, pg.newest().Start)
	pg.promote(o.t)

	o.each(func(i int) {
		o.await(fmt.Sprintf("process %d is red", i), func() (bool, string) {
			missing, all := o.red(i)
			return slices.Contains(missing, part) && strings.Contains(all, "did a standby take over"), all
		})
		w := o.book.wish("consent.given", fmt.Sprint(personPrefix, "new-", i), demo.Object{"act": "agree-popup", "locale": "en"})
		if o.say(i, w) {
			o.t.Errorf("process %d records %s, and what it had acknowledged is gone", i, w.id)
		}
	})
	o.each(func(i int) {
		o.ended(i)
		o.t.Logf("process %d complained: %.3000q", i, complaints(o.member(i)))
	})
	o.refusesToStart(0, "did a standby take over")
}

// ended waits until a member that is red ends when it is asked to.
func (o *outageTest) ended(i int) {
	o.t.Helper()
	c := o.member(i)
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		o.t.Errorf("process %d: %v", i, err)
		return
	}
	late := time.AfterFunc(callerWaits, func() {
		o.t.Errorf("%s: process %d does not end when it is asked to", o.phase.Load(), i)
		_ = c.cmd.Process.Signal(syscall.SIGABRT) // it says where it hangs
	})
	_ = c.cmd.Wait() // it may say that it could not remember all
	late.Stop()
	if o.t.Failed() {
		o.t.Logf("process %d:\n%s", i, &c.stderr)
	}
	c.checkLog(o.t)
}

// complaints returns the lines of a member that has ended which say that something is
// broken, without what they say of it.
func complaints(c *child) []string {
	var all []string
	for line := range strings.Lines(c.stderr.String()) {
		if strings.Contains(line, "level=ERROR") {
			_, said, _ := strings.Cut(line, "msg=")
			all = append(all, strings.TrimSpace(said))
		}
	}
	return all
}

// refusesToStart starts a member again, which remembers what it had acknowledged.
func (o *outageTest) refusesToStart(i int, of string) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), callerWaits)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.bin, o.arguments(i)...)
	said, err := cmd.CombinedOutput()
	if err == nil || ctx.Err() != nil || !strings.Contains(string(said), of) {
		o.t.Errorf("a process that knows more starts: %v: %s; want an error that says %q", err, said, of)
	}
}

// primaries are PostgreSQL servers that follow each other, of which the first that runs
// is used: the second is a synchronous standby of the first, the third an asynchronous
// one of the second.
type primaries struct {
	dirs    [3]string
	servers []*pgserver.Server
}

func newPrimaries(t *testing.T) *primaries {
	t.Helper()
	bin, err := pgserver.Find()
	if err != nil {
		t.Fatal(err)
	}
	p := new(primaries)
	for i := range p.dirs {
		p.dirs[i] = filepath.Join(pgservertest.Dir(t), fmt.Sprint("s", i))
	}
	// Sessions that are not the ledger's own wait for no standby.
	one, err := pgserver.Make(t.Context(), bin, p.dirs[0], "synchronous_standby_names = '*'", "synchronous_commit = local",
		"max_connections = 300")
	if err != nil {
		t.Fatal(err)
	}
	p.add(t, one)
	p.follow(t)
	return p
}

func (p *primaries) add(t *testing.T, s *pgserver.Server) {
	pgservertest.StopWith(t, s)
	p.servers = append(p.servers, s)
}

// follow starts a standby of the newest.
func (p *primaries) follow(t *testing.T) {
	t.Helper()
	s, err := p.newest().Standby(t.Context(), p.dirs[len(p.servers)], "synchronous_standby_names = ''")
	if err != nil {
		t.Fatal(err)
	}
	p.add(t, s)
}

func (p *primaries) newest() *pgserver.Server { return p.servers[len(p.servers)-1] }

// now is the one that is used: that before the newest, which follows it.
func (p *primaries) now() *pgserver.Server { return p.servers[len(p.servers)-2] }

func (p *primaries) run(t *testing.T, what func(context.Context) error) {
	t.Helper()
	if err := what(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// stop ends the one that is used, as a crash does.
func (p *primaries) stop(t *testing.T) {
	t.Helper()
	p.run(t, func(ctx context.Context) error { return p.now().Stop(ctx, true) })
}

func (p *primaries) start(t *testing.T) { t.Helper(); p.run(t, p.now().Start) }

// promote has the newest take over.
func (p *primaries) promote(t *testing.T) { t.Helper(); p.run(t, p.newest().Promote) }

// address is a connection string of a database, whichever server has it.
func (p *primaries) address(t *testing.T, name string) string {
	t.Helper()
	if _, err := p.now().SQL(t.Context(), "postgres", "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("host=%s user=bench dbname=%s", strings.Join(p.dirs[:], ","), name)
}
