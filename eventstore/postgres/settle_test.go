package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/domain/rounds"
	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// A cut is where a connection ends that is about to write.
type cut int

const (
	nowhere   cut = iota
	before        // the server is told nothing
	meanwhile     // the server is told, and nobody waits for it
	after         // the server has done it, and its answer is lost
)

// A wire is the way to a server, and may be cut once.
type wire struct {
	dir string

	mu  sync.Mutex
	at  cut
	did chan struct{} // closed once it was cut
}

// newWire makes a way to a server that is there until t ends.
func newWire(t testing.TB, s *pgserver.Server) *wire {
	t.Helper()
	w := &wire{dir: pgservertest.Dir(t), did: make(chan struct{})}
	l, err := net.Listen("unix", filepath.Join(w.dir, ".s.PGSQL.5432"))
	check(t, "listen", err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", filepath.Join(s.Dir(), ".s.PGSQL.5432"))
			if err != nil {
				_ = client.Close()
				continue
			}
			go w.join(client, server)
		}
	}()
	return w
}

// cutNext has the next write cut, and returns what is closed once it was.
func (w *wire) cutNext(at cut) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.did = at, make(chan struct{})
	return w.did
}

// now returns where a write is cut, once.
func (w *wire) now() cut {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.at
	w.at = nowhere
	return at
}

// join hands on what both sides say. A write is a message that binds the arguments of
// a statement, on a connection that has prepared one that writes.
func (w *wire) join(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	lost := make(chan struct{})
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, err := server.Read(b)
			select {
			case <-lost:
				w.end()
				_ = client.Close()
				return
			default:
			}
			if err == nil {
				_, err = client.Write(b[:n])
			}
			if err != nil {
				_ = client.Close()
				return
			}
		}
	}()

	b := make([]byte, 1<<20)
	writes := false
	for {
		n, err := client.Read(b)
		if err != nil {
			return
		}
		at := nowhere
		if writes && b[0] == 'B' {
			at = w.now()
		}
		writes = writes || bytes.Contains(b[:n], []byte("write_v1"))
		switch at {
		case before:
			w.end()
			return
		case after:
			close(lost)
		case meanwhile, nowhere:
		}
		if _, err := server.Write(b[:n]); err != nil {
			return
		}
		switch at {
		case meanwhile:
			w.end()
			return
		case after:
			_, _ = io.Copy(io.Discard, client) // until the other side has ended it
			return
		case before, nowhere:
		}
	}
}

func (w *wire) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.did)
}

// TestConnectionCutAtCommit has the connection end when a change is written: whatever
// became of it, it is made once, and its caller is told that it was.
func TestConnectionCutAtCommit(t *testing.T) {
	leavesNothing(t)
	w := newWire(t, common)
	name := newName()
	r := openRows(t, "host="+w.dir+" user=bench dbname=postgres", postgres.Options{Name: name})
	count := func() string { return sql(t, common, "SELECT number FROM "+name+".turn_v1") }
	put := func(key string) error {
		return r.Write(within(t, 2*time.Minute), eventstore.Change{
			Absent: [][]byte{[]byte(key)}, Put: []eventstore.Row{{Key: []byte(key), Value: []byte("1")}},
		})
	}
	check(t, "the first write", put("first"))

	for n, at := range []cut{before, after, meanwhile} {
		key, release := fmt.Sprint("key ", n), func() {}
		if at == meanwhile { // somebody has the turn, so that the server is not done yet
			c := session(t, common)
			_, err := c.Exec(t.Context(), "BEGIN; LOCK TABLE "+name+".turn_v1 IN EXCLUSIVE MODE")
			check(t, "lock", err)
			release = func() {
				_, err := c.Exec(t.Context(), "COMMIT")
				check(t, "commit", err)
			}
		}
		was := w.cutNext(at)
		done := make(chan error, 1)
		go func() { done <- put(key) }()
		<-was
		if at == meanwhile { // it is sent again while the first still waits
			for sql(t, common, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '"+name+".turn_v1'::regclass") != "2" {
				time.Sleep(20 * time.Millisecond)
			}
		}
		release()
		if err := <-done; err != nil {
			t.Errorf("cut %d: %v", at, err)
		}
		if value, ok, err := r.Get(t.Context(), []byte(key)); err != nil || !ok || string(value) != "1" {
			t.Errorf("cut %d: the row holds %q, %t, %v", at, value, ok, err)
		}
		if got := count(); got != strconv.Itoa(n+2) {
			t.Errorf("cut %d: %s transactions have written, want %d", at, got, n+2)
		}
	}

	// Who was first is told so, and who was not is told that, whatever is cut.
	was := w.cutNext(after)
	if err := put("first"); !errors.Is(err, eventstore.ErrCondition) {
		t.Errorf("a key that is there is put as if it were not: %v", err)
	}
	<-was
}

// TestEveryChangeIsMadeOnce moves rows along while the server ends connections and
// crashes: a move whose outcome was guessed would be refused, or lead to two rows.
// There are 30 moves of each row, or as many as CONSENTLEDGER_ROUNDS says.
func TestEveryChangeIsMadeOnce(t *testing.T) {
	leavesNothing(t)
	server := pgservertest.Serve(t)
	moves := rounds.Of(t, 30)
	processes := []*postgres.Rows{
		openRows(t, server.Address("postgres"), postgres.Options{}), openRows(t, server.Address("postgres"), postgres.Options{}),
	}
	check(t, "ready", processes[0].Ready(within(t, time.Minute)))

	ctx, stop := context.WithCancel(t.Context())
	var wg, killer sync.WaitGroup
	var made atomic.Int64
	killer.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			for before := made.Load(); made.Load() < before+3 && ctx.Err() == nil; { // else nothing is ever made
				time.Sleep(time.Millisecond)
			}
			if n%20 == 0 {
				if err := errors.Join(server.Stop(t.Context(), true), server.Start(t.Context())); err != nil {
					t.Error(err)
					return
				}
				continue
			}
			_, _ = server.SQL(ctx, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'consentledger'")
		}
	})
	const rows = 12
	for n := range rows {
		wg.Go(func() {
			r := processes[n%len(processes)]
			place := func(at int) []byte { return fmt.Appendf(nil, "row %d at %d", n, at) }
			put := eventstore.Change{Absent: [][]byte{place(0)}, Put: []eventstore.Row{{Key: place(0), Value: []byte("x")}}}
			for at := range moves {
				if err := r.Write(within(t, 5*time.Minute), put); err != nil {
					t.Errorf("row %d, move %d: %v", n, at, err)
					return
				}
				made.Add(1)
				put = eventstore.Change{
					Present: [][]byte{place(at)}, Absent: [][]byte{place(at + 1)},
					Put: []eventstore.Row{{Key: place(at + 1), Value: []byte("x")}}, Delete: [][]byte{place(at)},
				}
			}
		})
	}
	wg.Wait()
	stop()
	killer.Wait()

	n := 0
	for row, err := range processes[1].Scan(within(t, time.Minute), nil) {
		check(t, "scan", err)
		if !bytes.HasSuffix(row.Key, fmt.Appendf(nil, "at %d", moves-1)) {
			t.Errorf("there is a %s", row.Key)
		}
		n++
	}
	if n != rows {
		t.Errorf("%d rows are there, want %d", n, rows)
	}
}
