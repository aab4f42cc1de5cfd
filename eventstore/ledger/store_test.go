package ledger_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver"
)

// on makes the tests of this package keep their worlds' records elsewhere, each
// world's apart: "esdb" is a server that speaks EventStoreDB's protocol, "postgres"
// a PostgreSQL server.
const on = "CONSENTLEDGER_TEST_ON"

// newStore returns an empty store: one in memory, but see [on]. It is open for as
// long as the process lives.
var newStore = func() eventstore.Store { return new(memory.Store) }

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var open func(world int64) (eventstore.Store, error)
	var stop func()
	switch os.Getenv(on) {
	case "esdb":
		open, stop = onEventStoreDB()
	case "postgres":
		open, stop = onPostgres()
	default:
		return m.Run()
	}
	defer stop()

	var worlds atomic.Int64
	newStore = func() eventstore.Store {
		s, err := open(worlds.Add(1))
		if err != nil {
			panic(err)
		}
		return s
	}
	code := m.Run()
	if worlds.Load() == 0 {
		fmt.Println("no test has asked for a store")
		code = 1
	}
	return code
}

func onEventStoreDB() (open func(world int64) (eventstore.Store, error), stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := esdbserver.New(esdbserver.Options{})
	go func() { _ = server.Serve(l) }()
	address, err := esdb.ParseAddress("esdb://" + server.Addr() + "?tls=false")
	if err != nil {
		panic(err)
	}
	return func(world int64) (eventstore.Store, error) {
		return esdb.Open(address, esdb.Options{Name: fmt.Sprint("w", world), BarrierEvery: time.Millisecond})
	}, server.Close
}

func onPostgres() (open func(world int64) (eventstore.Store, error), stop func()) {
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		panic(err)
	}
	bin, err := pgserver.Find()
	if err == nil {
		err = os.Chmod(dir, 0o755) // PostgreSQL's user looks into it
	}
	if err != nil {
		panic(err)
	}
	server, err := pgserver.Make(context.Background(), bin, filepath.Join(dir, "one"), "max_connections = 2000", "shared_buffers = 256MB")
	if err != nil {
		panic(err)
	}
	address, err := postgres.ParseAddress(server.Address("postgres"))
	if err != nil {
		panic(err)
	}
	return func(world int64) (eventstore.Store, error) {
			return postgres.Open(address, postgres.Options{Name: fmt.Sprint("w", world), Readers: 2})
		}, func() {
			_ = server.Stop(context.Background(), true) // it goes with the process
			_ = os.RemoveAll(dir)
		}
}

// TestAllOnEventStoreDB runs the tests of this package once more, over
// [esdb.Store].
func TestAllOnEventStoreDB(t *testing.T) { allOn(t, "esdb", "") }

// TestAllOnPostgres runs the tests of this package once more, over
// [postgres.Store]. What is kept beside the log is the same on any store, and the
// test of it appends thousands of records one by one, each of which is synced.
func TestAllOnPostgres(t *testing.T) { allOn(t, "postgres", "|MarksOfAnotherLog") }

func allOn(t *testing.T, store, but string) {
	if os.Getenv(on) != "" {
		return
	}
	// Those that are left out have no world.
	args := []string{"-test.count=1", "-test.skip=^Test(EveryCrashPoint|TheCrashTestCanFail|AnOptOutReachesEverybody|NothingFromBefore|TheCacheHolds|WhomAnOptOut" + but + ")"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), on+"="+store)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.TrimSpace(string(out)))
	}
}
