package ledger_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/memory"
)

// onServer makes the tests of this package keep their worlds' records on a server
// that speaks EventStoreDB's protocol, each world in streams of its own.
const onServer = "CONSENTLEDGER_TEST_ON_ESDB"

// newStore returns an empty store: one in memory, but see [onServer].
var newStore = func() eventstore.Store { return new(memory.Store) }

func TestMain(m *testing.M) {
	if os.Getenv(onServer) == "" {
		os.Exit(m.Run())
	}
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
	var worlds atomic.Int64
	newStore = func() eventstore.Store {
		s, err := esdb.Open(address, esdb.Options{Name: fmt.Sprint("w", worlds.Add(1)), BarrierEvery: time.Millisecond})
		if err != nil {
			panic(err)
		}
		return s // for as long as the process lives
	}
	code := m.Run()
	server.Close()
	if worlds.Load() == 0 {
		fmt.Println("no test has asked for a store")
		code = 1
	}
	os.Exit(code)
}

// TestAllOnEventStoreDB runs the tests of this package once more, over
// [esdb.Store].
func TestAllOnEventStoreDB(t *testing.T) {
	if os.Getenv(onServer) != "" {
		return
	}
	// Those that are left out have no world.
	args := []string{"-test.count=1", "-test.skip=^Test(EveryCrashPoint|TheCrashTestCanFail|AnOptOutReachesEverybody|NothingFromBefore|TheCacheHolds|WhomAnOptOut)"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), onServer+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.TrimSpace(string(out)))
	}
}
