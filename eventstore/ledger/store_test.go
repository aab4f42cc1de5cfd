package ledger_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/eventstore/storetest"
)

// on makes the tests of this package keep their worlds' records elsewhere, each
// world's apart: "esdb" is a server that speaks EventStoreDB's protocol, the one that
// serverVariable names or one in this process; "postgres" is a PostgreSQL server.
const (
	on             = "CONSENTLEDGER_TEST_ON"
	serverVariable = "CONSENTLEDGER_ESDB"
)

// newStore returns an empty store: one in memory, but see [on]. It is open for as
// long as the process lives.
var newStore = func() eventstore.Store { return new(memory.Store) }

// newRows returns empty rows: in memory, but in PostgreSQL where the store is.
var newRows = func() eventstore.Rows { return new(memory.Rows) }

// withoutWorld are the tests that have none, and so nothing to do with a server, and
// those of [besideTheLog].
const withoutWorld = "EveryCrashPoint|TheCrashTestCanFail|AnOptOutReachesEverybody|NothingFromBefore|TheCacheHolds|WhomAnOptOut|AllOn|" +
	"AFoldHasTheShape|EveryEventFoldsTheSame|NoProcessBelieves|ABarrierIsShared|NobodyWaitsForEver|NobodyWaitsForAll|" + besideTheLog

// besideTheLog are tests of what is the same on any store, and that read or write
// thousands of records one by one.
const besideTheLog = "SpansThatMeet|MarksOfAnotherLog|WhatWasKnownIsFound"

func TestMain(m *testing.M) {
	switch where := os.Getenv(on); {
	case where == "esdb":
		os.Exit(runOn(m, onEventStoreDB))
	case where == "postgres":
		os.Exit(runOn(m, onPostgres))
	case os.Getenv(serverVariable) != "":
		os.Exit(runOnServer())
	}
	os.Exit(m.Run())
}

// runOn runs the tests on stores that open opens, each of a name of its own.
func runOn(m *testing.M, begin func() (open func(name string) (store, error), stop func(), err error)) int {
	open, stop, err := begin()
	if err != nil {
		fmt.Println(err)
		return 2
	}
	defer stop()
	w := &worlds{open: open, run: strings.ToLower(rand.Text()[:8])}
	newStore = w.next
	code := m.Run()
	w.close()
	fmt.Printf("%d worlds, each by a name that begins with ledger-%s\n", len(w.stores), w.run)
	if len(w.stores) == 0 {
		fmt.Println("no test has asked for a store")
		return 1
	}
	return code
}

// A store can be closed.
type store interface {
	eventstore.Store
	io.Closer
}

// Worlds are the stores that tests have asked for.
type worlds struct {
	open func(name string) (store, error)
	run  string // what the names of all have in common

	mu     sync.Mutex
	stores []store
}

// next opens an empty store, for as long as the process lives.
func (w *worlds) next() eventstore.Store {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, err := w.open(fmt.Sprintf("ledger-%s-%d", w.run, len(w.stores)))
	if err != nil {
		panic(err)
	}
	w.stores = append(w.stores, s)
	return s
}

func (w *worlds) close() {
	for _, s := range w.stores {
		_ = s.Close() // nobody is left who could care
	}
}

func onEventStoreDB() (open func(name string) (store, error), stop func(), err error) {
	connection, stop := os.Getenv(serverVariable), func() {}
	if connection == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		server := esdbserver.New(esdbserver.Options{})
		go func() { _ = server.Serve(l) }()
		connection, stop = "esdb://"+server.Addr()+"?tls=false", server.Close
	}
	address, err := esdb.ParseAddress(connection)
	return func(name string) (store, error) {
		return esdb.Open(address, esdb.Options{Name: name, BarrierEvery: time.Millisecond})
	}, stop, err
}

func onPostgres() (open func(name string) (store, error), stop func(), err error) {
	server, stop, err := pgservertest.Main("max_connections = 2000", "shared_buffers = 256MB")
	if err != nil {
		return nil, nil, err
	}
	address, err := postgres.ParseAddress(server.Address("postgres"))
	if err != nil {
		return nil, stop, err
	}
	rows, err := postgres.OpenRows(address, postgres.Options{})
	if err != nil {
		return nil, stop, err
	}
	var worlds atomic.Int64
	newRows = func() eventstore.Rows { return storetest.Below(rows, fmt.Sprintf("%d/", worlds.Add(1))) }
	return func(name string) (store, error) {
		return postgres.Open(address, postgres.Options{Name: strings.ReplaceAll(name, "-", "_"), Readers: 2})
	}, stop, err
}

// onServerArgs are how the tests are run on a server, without those of some names.
func onServerArgs(but string) []string {
	args := []string{"-test.count=1", "-test.v", "-test.skip=^Test(" + withoutWorld + but + ")"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	return args
}

// TestAllOnEventStoreDB runs the tests of this package once more, over
// [esdb.Store].
func TestAllOnEventStoreDB(t *testing.T) { allOn(t, "esdb", longOverNetwork) }

// TestAllOnPostgres runs the tests of this package once more, over
// [postgres.Store] and [postgres.Rows], but for those that wait longest for each record to be synced.
func TestAllOnPostgres(t *testing.T) { allOn(t, "postgres", longOverNetwork+"|NoSequenceOfDeliveries") }

// longOverNetwork are tests that ask nothing more of a store than others do, and take
// more than half of the time that all take over a network. They run where the suite is
// run against a server of somebody else.
const longOverNetwork = "|Followers|ALongHistoryIsNotReadAgain|ASnapshotThatIsNot|WhatIsDoneStays|EveryRequestIsAnswered|" +
	"AThousandSignals|MarksAreSet|WhoIsForgotten"

func allOn(t *testing.T, where, but string) {
	t.Parallel() // they wait for disk and network most of the time
	cmd := exec.CommandContext(t.Context(), os.Args[0], onServerArgs(but)...)
	cmd.Env = append(os.Environ(), on+"="+where)
	out, err := cmd.CombinedOutput()
	if ran, failed := tell(out); err != nil || len(failed) > 0 || ran < 50 {
		t.Fatalf("of %d tests %q failed: %v\n%s", ran, failed, err, out)
	}
}

// tell returns how many tests ran, and which of them failed, as they are printed.
func tell(out []byte) (ran int, failed []string) {
	for _, m := range regexp.MustCompile(`(?m)^--- (PASS|FAIL): (\S+)`).FindAllSubmatch(out, -1) {
		ran++
		if string(m[1]) == "FAIL" {
			failed = append(failed, string(m[2]))
		}
	}
	return ran, failed
}

// longest is how long all tests may take on somebody's server.
const longest = time.Hour

// runOnServer runs the tests on the server that the environment names, in a process
// of their own, prints what came of it, and returns the exit code.
func runOnServer() int {
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	args := onServerArgs("")
	if only := flag.Lookup("test.run").Value.String(); only != "" {
		args = append(args, "-test.run="+only)
	}
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), on+"=esdb")
	var all bytes.Buffer
	cmd.Stdout = io.MultiWriter(&all, os.Stdout)
	cmd.Stderr = cmd.Stdout
	began := time.Now()
	err := cmd.Run()
	ran, failed := tell(all.Bytes())
	fmt.Printf("\n%d of the ledger's tests ran on EventStoreDB's protocol in %v, %d failed\n", ran, time.Since(began).Round(time.Second), len(failed))
	for _, name := range failed {
		fmt.Printf("  FAILED %s\n", name)
	}
	if err != nil {
		fmt.Printf("it ended with: %v\n", err)
		return 1
	}
	return 0
}
