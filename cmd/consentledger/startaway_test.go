package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore/freeport"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// A starting ledger is one that was started and may have to wait.
type starting struct {
	*running
	t     *testing.T
	ready chan struct{}
	ended chan error
}

func startSoon(t *testing.T, c server.Config) *starting {
	t.Helper()
	c.HTTP = freeport.Address(t)
	ctx, cancel := context.WithCancel(context.Background())
	b := &banner{ready: make(chan struct{})}
	s := &starting{running: &running{http: "http://" + c.HTTP}, t: t, ready: b.ready, ended: make(chan error, 1)}
	go func() { s.ended <- server.Run(ctx, c, b) }()
	s.stop = func() error {
		cancel()
		err := <-s.ended
		s.ended <- err
		return err
	}
	t.Cleanup(func() { s.stop() })
	return s
}

// missing waits until /readyz names these parts and no other, beside that the ledger is
// being opened.
func (s *starting) missing(want ...string) {
	s.t.Helper()
	want = slices.Sorted(slices.Values(want)) // a copy: other tests read the list
	eventually(s.t, fmt.Sprint(want), func() string {
		resp, err := http.Get(s.http + "/readyz")
		if err != nil {
			return err.Error() // nobody listens yet
		}
		resp.Body.Close()
		names := []string{}
		for line := range strings.Lines(verbose(s.t, s.running)) {
			if name, _, is := strings.Cut(line, ": "); is && slices.Contains(allParts, name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return fmt.Sprint(names)
	})
}

// open waits until the ledger is.
func (s *starting) open() {
	s.t.Helper()
	select {
	case <-s.ready:
		eventually(s.t, "", func() string { return verbose(s.t, s.running) })
	case err := <-s.ended:
		s.ended <- err
		s.t.Fatalf("serve ended: %v", err)
	}
}

var allParts = []string{"store", "vault", "read models"}

// A furnished is what a ledger needs whose parts are on servers that are stopped and
// started one by one.
type furnished struct {
	config server.Config
	begin  map[string]func() // by the part
	end    map[string]func()
}

func newFurnished(t *testing.T) *furnished {
	t.Helper()
	f := &furnished{begin: map[string]func(){}, end: map[string]func(){}}
	onPostgres := func(part string) *pgserver.Server {
		pg := pgservertest.Serve(t)
		f.begin[part] = func() { must(t, pg.Start(t.Context())) }
		f.end[part] = func() { must(t, pg.Stop(t.Context(), true)) }
		return pg
	}
	vault, models, store := onPostgres("vault"), onPostgres("read models"), newEventStore(t)
	f.begin["store"], f.end["store"] = store.start, func() { store.stop() }
	f.config = sharedConfig(t, store.url(), vault.Address("postgres"))
	f.config.Views = models.Address("postgres")
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sharedConfig is a ledger's whose vault others may share, with a NATS server of its own.
func sharedConfig(t *testing.T, store, vault string) server.Config {
	t.Helper()
	road, err := server.StartNATS(t.TempDir(), "127.0.0.1:0", slog.New(slog.DiscardHandler), nil)
	must(t, err)
	t.Cleanup(func() { road.Shutdown(); road.WaitForShutdown() })
	keys := filepath.Join(t.TempDir(), "keys")
	if out, err := cli(t, nil, "keys", "new", keys); err != nil {
		t.Fatal(out, err)
	}
	return server.Config{
		Data: t.TempDir(), NATS: server.ExternalNATS{URL: road.ClientURL()}, Origin: "logs.example.com/away",
		Store: store, Vault: vault, VaultKeys: keys,
	}
}

// TestALedgerStartsWhileItsPartsAreAway starts a ledger before what it stands on, which
// comes in every order: until all of it is there the ledger says what it waits for, and
// takes nothing; then it goes on by itself.
func TestALedgerStartsWhileItsPartsAreAway(t *testing.T) {
	t.Parallel() // it waits for servers most of the time
	f := newFurnished(t)
	s := startSoon(t, f.config)
	s.open()
	furnish(t, s.running)
	agree := func(who string) error {
		_, err := cli(t, s.running, "record", "--app", "smartkey", "--type", "consent.given", "--subject", who, "--data", `{"act":"agree-popup","locale":"en"}`)
		return err
	}
	must(t, agree("ada"))

	for _, order := range [][]string{
		{"store", "vault", "read models"}, {"store", "read models", "vault"}, {"vault", "store", "read models"},
		{"vault", "read models", "store"}, {"read models", "store", "vault"}, {"read models", "vault", "store"},
	} {
		must(t, s.stop())
		for _, part := range order {
			f.end[part]()
		}
		s = startSoon(t, f.config)
		s.missing(order...)

		if code, v := get(t, s.http+"/livez"); code != http.StatusOK || v["ok"] != true {
			t.Errorf("while it waits it does not live: %d, %v", code, v)
		}
		err := agree("bo")
		if p, is := errors.AsType[*exit.ProblemError](err); !is || p.Status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "waits") {
			t.Errorf("while it waits it is told to record: %v", err)
		}
		if out, err := cli(t, s.running, "healthcheck"); err == nil || !strings.Contains(err.Error(), order[2]+": ") {
			t.Errorf("healthcheck: %s, %v; want what is missing", out, err)
		}
		for i, part := range order {
			f.begin[part]()
			if i < 2 {
				s.missing(order[i+1:]...)
			}
		}
		s.open()
		if got := may(t, s.running, "ada", "personalisation"); got != "given" {
			t.Errorf("once all came, in the order %v: %s", order, got)
		}
	}
	must(t, agree("bo"))
}

// All parts may be on one server, and a database of its own each.
func TestALedgerStartsBeforePostgreSQL(t *testing.T) {
	t.Parallel() // it waits for servers most of the time
	pg := pgservertest.Serve(t)
	var at []string
	for _, name := range []string{"events", "persons", "lists"} {
		if _, err := pg.SQL(t.Context(), "postgres", "CREATE DATABASE "+name); err != nil {
			t.Fatal(err)
		}
		at = append(at, pg.Address(name))
	}
	c := sharedConfig(t, at[0], at[1])
	c.Views = at[2]
	must(t, pg.Stop(t.Context(), true))
	s := startSoon(t, c)
	s.missing(allParts...)
	must(t, pg.Start(t.Context()))
	s.open()
	furnish(t, s.running)
	must(t, s.stop())

	// One that is told to stop while it waits stops.
	must(t, pg.Stop(t.Context(), true))
	s = startSoon(t, c)
	s.missing(allParts...)
	if err := s.stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped while it waits: %v", err)
	}
}

// What no waiting mends ends a ledger at once, also while something else is away.
func TestWhatNoWaitingMendsEndsALedger(t *testing.T) {
	t.Parallel() // it waits for servers most of the time
	pg, store := pgservertest.Serve(t), newEventStore(t)
	c := sharedConfig(t, store.url(), pg.Address("postgres"))
	if _, err := pg.SQL(t.Context(), "postgres", "CREATE ROLE stranger LOGIN PASSWORD 'right'"); err != nil {
		t.Fatal(err)
	}
	hba := filepath.Join(pg.Data(), "pg_hba.conf")
	old, err := os.ReadFile(hba)
	must(t, err)
	must(t, os.WriteFile(hba, append([]byte("local all stranger scram-sha-256\n"), old...), 0o600))
	must(t, pg.Reload(t.Context()))

	ends := func(name, want string, change func(*server.Config)) {
		t.Helper()
		c := c
		c.Data = t.TempDir()
		change(&c)
		s := startSoon(t, c)
		err := <-s.ended
		s.ended <- err
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: ended with %v; want %q", name, err, want)
		}
	}
	store.stop()
	for _, part := range []struct {
		name string
		of   func(*server.Config) *string
	}{
		{"vault", func(c *server.Config) *string { return &c.Vault }},
		{"store", func(c *server.Config) *string { return &c.Store }},
		{"read models", func(c *server.Config) *string { return &c.Views }},
	} {
		ends(part.name+" in a database that is not there", `database "nowhere" does not exist`, func(c *server.Config) {
			*part.of(c) = pg.Address("nowhere")
		})
		ends(part.name+" with a wrong password", "password authentication failed", func(c *server.Config) {
			*part.of(c) = strings.Replace(pg.Address("postgres"), "user=bench", "user=stranger password=wrong", 1)
		})
	}
	ends("half a configuration", "name the event store", func(c *server.Config) { c.Store = "" })

	// The store of another ledger, which comes late.
	store.start()
	other := sharedConfig(t, store.url(), databaseOfServer(t, pg, "other"))
	s := startSoon(t, other)
	s.open()
	furnish(t, s.running)
	must(t, s.stop())
	store.stop()
	s = startSoon(t, c)
	s.missing("store")
	store.start()
	err = <-s.ended
	s.ended <- err
	if err == nil || !strings.Contains(err.Error(), "its persons are in another one") {
		t.Errorf("the store of another ledger, which came late: %v", err)
	}
}

func databaseOfServer(t *testing.T, s *pgserver.Server, name string) string {
	t.Helper()
	if _, err := s.SQL(t.Context(), "postgres", "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.Address(name)
}

// A part that answers, and goes away before the ledger has opened it, is waited for as
// one that was never there.
func TestAPartThatGoesAwayMeanwhileIsWaitedFor(t *testing.T) {
	t.Parallel() // it waits for servers most of the time
	pg := pgservertest.Serve(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	var came atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if n := came.Add(1); n > 1 && n <= 4 { // the first is asked whether it is there
					return
				}
				to, err := net.Dial("unix", filepath.Join(pg.Dir(), ".s.PGSQL.5432"))
				if err != nil {
					t.Error(err)
					return
				}
				defer to.Close()
				go io.Copy(to, c)
				io.Copy(c, to)
			}()
		}
	}()
	s := startSoon(t, server.Config{
		Data: t.TempDir(), NATSListen: "127.0.0.1:0",
		Views: fmt.Sprintf("postgres://bench@%s/postgres?sslmode=disable", l.Addr()),
	})
	s.open()
	furnish(t, s.running)
	if n := came.Load(); n <= 4 {
		t.Errorf("%d connections were made; want more than those that failed", n)
	}
}
