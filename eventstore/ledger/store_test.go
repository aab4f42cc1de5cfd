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
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/memory"
)

// onServer makes the tests of this package keep their worlds' records on a server
// that speaks EventStoreDB's protocol, each world in streams of its own: on the one
// that serverVariable names, or on one in this process.
const (
	onServer       = "CONSENTLEDGER_TEST_ON_ESDB"
	serverVariable = "CONSENTLEDGER_ESDB"
)

// newStore returns an empty store: one in memory, but see [onServer].
var newStore = func() eventstore.Store { return new(memory.Store) }

// withoutWorld are the tests that have none, and so nothing to do with a server.
const withoutWorld = "^Test(EveryCrashPoint|TheCrashTestCanFail|AnOptOutReachesEverybody|NothingFromBefore|TheCacheHolds|WhomAnOptOut|AllOnEventStoreDB|AFoldHasTheShape|EveryEventFoldsTheSame)"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(onServer) != "":
		os.Exit(runOn(m, os.Getenv(serverVariable)))
	case os.Getenv(serverVariable) != "":
		os.Exit(runOnServer())
	}
	os.Exit(m.Run())
}

// runOn runs the tests on the server that a connection string names; empty: on one
// in this process.
func runOn(m *testing.M, connection string) int {
	if connection == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		server := esdbserver.New(esdbserver.Options{})
		go func() { _ = server.Serve(l) }()
		defer server.Close()
		connection = "esdb://" + server.Addr() + "?tls=false"
	}
	address, err := esdb.ParseAddress(connection)
	if err != nil {
		fmt.Println(err)
		return 2
	}
	w := &worlds{address: address, run: strings.ToLower(rand.Text()[:8])}
	newStore = w.next
	code := m.Run()
	w.close()
	fmt.Printf("%d worlds, each in streams that begin with ledger-%s-\n", w.count, w.run)
	if w.count == 0 {
		fmt.Println("no test has asked for a store")
		return 1
	}
	return code
}

// Worlds are the stores that tests have asked for.
type worlds struct {
	address *esdb.Address
	run     string // what the names of all have in common

	mu    sync.Mutex
	count int
	open  []*esdb.Store
}

// next opens an empty store, for as long as the process lives.
func (w *worlds) next() eventstore.Store {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	s, err := esdb.Open(w.address, esdb.Options{Name: fmt.Sprintf("ledger-%s-%d", w.run, w.count), BarrierEvery: time.Millisecond})
	if err != nil {
		panic(err)
	}
	w.open = append(w.open, s)
	return s
}

func (w *worlds) close() {
	for _, s := range w.open {
		_ = s.Close() // nobody is left who could care
	}
}

// onServerArgs are how the tests are run on a server.
func onServerArgs() []string {
	args := []string{"-test.count=1", "-test.v", "-test.skip=" + withoutWorld}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	return args
}

// TestAllOnEventStoreDB runs the tests of this package once more, over
// [esdb.Store].
func TestAllOnEventStoreDB(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], onServerArgs()...)
	cmd.Env = append(os.Environ(), onServer+"=1")
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
	args := onServerArgs()
	if only := flag.Lookup("test.run").Value.String(); only != "" {
		args = append(args, "-test.run="+only)
	}
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), onServer+"=1")
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
