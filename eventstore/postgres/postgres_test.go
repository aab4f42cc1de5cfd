package postgres_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/eventstore/storetest"
)

// common is the server of all tests that do no harm to theirs.
var common *pgserver.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err = os.Chmod(dir, 0o755); err == nil {
		common, err = pgservertest.Make(context.Background(), dir+"/one", "max_connections = 200")
	}
	if err != nil {
		panic(err)
	}
	defer common.Stop(context.Background(), true)
	return m.Run()
}

var stores atomic.Int64

// newName is the name of a store that no other test has.
func newName() string { return fmt.Sprint("s", stores.Add(1)) }

// open opens a store at an address until t ends.
func open(t testing.TB, address string, o postgres.Options) *postgres.Store {
	t.Helper()
	a, err := postgres.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Open(a, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Fault(); err != nil && !t.Failed() {
			t.Log(err)
		}
	})
	return s
}

// leavesNothing fails t if a goroutine of ours, or of pgx, is left when t ends.
// What else t cleans up must be registered after it.
func leavesNothing(t testing.TB) {
	t.Helper()
	before := goroutines()
	t.Cleanup(func() {
		var left []string
		for range 3000 { // those of a connection end a moment after it
			if left = goroutines(); len(left) <= len(before) {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("%d goroutines are left, there were %d:\n%s", len(left), len(before), strings.Join(left, "\n\n"))
	})
}

func goroutines() (of []string) {
	b := make([]byte, 1<<20)
	b = b[:runtime.Stack(b, true)]
	for _, g := range strings.Split(string(b), "\n\n") {
		if strings.Contains(g, "eventstore/postgres") && !strings.Contains(g, "testing.tRunner") || strings.Contains(g, "jackc/") {
			of = append(of, g)
		}
	}
	return of
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) eventstore.Store {
		leavesNothing(t)
		return open(t, common.Address("postgres"), postgres.Options{Name: newName()})
	})
}

func TestShared(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) (here, there eventstore.Store) {
		leavesNothing(t)
		o := postgres.Options{Name: newName()}
		return open(t, common.Address("postgres"), o), open(t, common.Address("postgres"), o)
	})
}

// TestCatchUpBeyondAPage is told where the log ends by who is told of a part of it.
func TestCatchUpBeyondAPage(t *testing.T) {
	leavesNothing(t)
	s := open(t, common.Address("postgres"), postgres.Options{Name: newName()})
	for i := range 3 {
		records := make([]eventstore.Record, 400)
		for n := range records {
			records[n] = numbered(400*i + n + 1)
		}
		if _, err := s.Append(t.Context(), eventstore.Stream(fmt.Sprint("s", i)), 0, records...); err != nil {
			t.Fatal(err)
		}
	}
	for after, want := range map[eventstore.Position]int{0: 1000, 150: 1000, 200: 1000, 201: 999, 1199: 1, 1200: 0} {
		head, news, err := s.CatchUp(t.Context(), after)
		if err != nil || head != 1200 || len(news) != want || want > 0 && news[0].Position != after+1 {
			t.Errorf("behind %d: the end is %d, %d records, %v; want 1200 and %d", after, head, len(news), err, want)
		}
	}
}
