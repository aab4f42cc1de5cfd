package turn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/eventstore/postgres/turn"
)

// second is what a second is to the turns of these tests. Whoever has a turn loses it, and
// another works beside, if the server or the process is slower than five of them: on a busy
// machine half a second would not be enough.
const second = 250 * time.Millisecond

// A worker is one that takes turns, as a process is.
type worker struct {
	name  string
	works chan string // gets the name when it begins to work, for all workers of a test
	told  chan error
	end   context.CancelFunc
	done  chan error

	mu    sync.Mutex
	cause error // of the end of the last work
}

func (w *worker) work(ctx context.Context) error {
	w.works <- w.name
	<-ctx.Done()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cause = context.Cause(ctx)
	return ctx.Err()
}

func (w *worker) lost() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cause
}

// start starts a worker that ends with t.
func start(t *testing.T, name, address string, works chan string) *worker {
	t.Helper()
	at, err := postgres.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	w := &worker{name: name, works: works, told: make(chan error, 1000), end: end, done: make(chan error, 1)}
	go func() {
		one := turn.Turn{At: at, Name: t.Name(), Tell: func(err error) { w.told <- err }}
		w.done <- one.Fast(second).Run(ctx, w.work)
	}()
	t.Cleanup(func() {
		end()
		if err := <-w.done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s ended with %v", name, err)
		}
	})
	return w
}

// next returns who begins to work next.
func next(t *testing.T, works chan string) string {
	t.Helper()
	select {
	case name := <-works:
		return name
	case <-time.After(2 * time.Minute):
		t.Fatal("nobody works")
		return ""
	}
}

// nobody fails t if somebody begins to work while several askings go by.
func nobody(t *testing.T, works chan string) {
	t.Helper()
	select {
	case name := <-works:
		t.Errorf("%s works beside another", name)
	case <-time.After(5 * second):
	}
}

// TestOneWorksUntilItsSessionEnds has the session of one ended by the server, and the
// connection of the other cut.
func TestOneWorksUntilItsSessionEnds(t *testing.T) {
	t.Parallel() // it waits
	server := pgservertest.Serve(t)
	cable := lay(t, filepath.Join(server.Dir(), ".s.PGSQL.5432"))
	works := make(chan string)
	first := start(t, "first", server.Address("postgres")+" application_name=first", works)
	if got := next(t, works); got != "first" {
		t.Fatalf("%s works", got)
	}
	second := start(t, "second", fmt.Sprintf("host=%s user=bench dbname=postgres sslmode=disable", cable.dir), works)
	nobody(t, works)

	// The server ends the session of the first. It waits by then, like the second: one of
	// them works, and it is not the two of them.
	said, err := server.SQL(t.Context(), "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'first'")
	if err != nil || !strings.Contains(said, "t") {
		t.Fatalf("%q, %v", said, err)
	}
	if err := <-first.told; !errors.Is(err, turn.ErrLost) {
		t.Errorf("the first was told %v", err)
	}
	if err := first.lost(); !errors.Is(err, turn.ErrLost) {
		t.Errorf("the first's context ended with %v", err)
	}
	if got := next(t, works); got == "first" {
		first.end() // it was quicker once more
		if got = next(t, works); got != "second" {
			t.Fatalf("%s works", got)
		}
		first = start(t, "first", server.Address("postgres"), works)
	}
	nobody(t, works)

	// The second is cut off without a word. It gives up by itself, and the server gives
	// the turn to the first once it has heard nothing for long.
	cable.cut()
	if err := <-second.told; !errors.Is(err, turn.ErrLost) {
		t.Errorf("the second was told %v", err)
	}
	if got := next(t, works); got != "first" {
		t.Fatalf("%s works", got)
	}
	nobody(t, works)
	if err := second.lost(); !errors.Is(err, turn.ErrLost) {
		t.Errorf("the second's context ended with %v", err)
	}

	// Both go on after the server was away.
	if err := server.Stop(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for err := range first.told {
		if errors.Is(err, turn.ErrLost) {
			break
		}
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	next(t, works)
	nobody(t, works)
}

// TestWorkThatFailsIsTriedAgain, by whoever has the turn, until it has nothing to do.
func TestWorkThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel() // it waits
	at, err := postgres.ParseAddress(pgservertest.Serve(t).Address("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	bad, tries, told := errors.New("the work is hard"), 0, 0
	one := turn.Turn{At: at, Name: "work", Tell: func(err error) {
		if told++; !errors.Is(err, bad) {
			t.Errorf("told %v", err)
		}
	}}
	err = one.Fast(second).Run(t.Context(), func(context.Context) error {
		if tries++; tries < 4 {
			return bad
		}
		return nil
	})
	if err != nil || tries != 4 || told == 0 {
		t.Errorf("%v after %d tries, and it was told %d times", err, tries, told)
	}
}

// TestPoolers: a turn is had through PgBouncer where it gives each client a session.
func TestPoolers(t *testing.T) {
	t.Parallel() // it waits
	server := pgservertest.Serve(t)
	works := make(chan string)
	address := pgservertest.Bouncer(t, server, "session")
	first := start(t, "first", address, works)
	next(t, works)
	start(t, "second", address, works)
	nobody(t, works)
	first.end()
	if got := next(t, works); got != "second" {
		t.Errorf("%s works", got)
	}

	at, err := postgres.ParseAddress(pgservertest.Bouncer(t, server, "transaction"))
	if err != nil {
		t.Fatal(err)
	}
	err = turn.Turn{At: at, Name: "pooled"}.Run(t.Context(), func(context.Context) error {
		t.Error("it works in sessions that are shared")
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "pool_mode = session") {
		t.Errorf("in transaction mode: %v", err)
	}
}

// A cable leads to a server's socket, until it is cut: then nothing arrives any more,
// and neither end is told.
type cable struct {
	dir string

	mu    sync.Mutex
	whole bool
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = false
}

func (c *cable) uncut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.whole
}

// lay lays a cable to a socket, until t ends.
func lay(t *testing.T, to string) *cable {
	t.Helper()
	c := &cable{dir: pgservertest.Dir(t), whole: true}
	l, err := net.Listen("unix", filepath.Join(c.dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("unix", to)
			if err != nil {
				here.Close()
				continue
			}
			t.Cleanup(func() { here.Close(); there.Close() })
			go c.carry(here, there)
			go c.carry(there, here)
		}
	}()
	return c
}

// carry carries what one end says to the other.
func (c *cable) carry(from, to net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if !c.uncut() {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if _, bad := to.Write(b[:n]); err != nil || bad != nil {
			from.Close()
			to.Close()
			return
		}
	}
}
