package esdb_test

import (
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/storetest"
)

// serve starts a node that ends with t.
func serve(t testing.TB, o esdbserver.Options) *esdbserver.Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := esdbserver.New(o)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// open opens a store at an address until t ends.
func open(t testing.TB, address string, o esdb.Options) *esdb.Store {
	t.Helper()
	a, err := esdb.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	if o.BarrierEvery == 0 {
		o.BarrierEvery = time.Millisecond
	}
	s, err := esdb.Open(a, o)
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

func addressOf(s *esdbserver.Server) string { return "esdb://" + s.Addr() + "?tls=false" }

// leavesNothing fails t if a goroutine of ours, or of gRPC, is left when t ends.
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
		if strings.Contains(g, "eventstore/esdb") && !strings.Contains(g, "testing.tRunner") || strings.Contains(g, "google.golang.org/grpc") {
			of = append(of, g)
		}
	}
	return of
}

// kinds are the ways in which a store is tested.
var kinds = []struct {
	name   string
	server esdbserver.Options
	store  esdb.Options
}{
	{"batch", esdbserver.Options{}, esdb.Options{}},
	{"unary", esdbserver.Options{}, esdb.Options{NoBatchAppend: true}},
	{"a server without BatchAppend", esdbserver.Options{NoBatch: true}, esdb.Options{}},
	{"KurrentDB", esdbserver.Options{Kurrent: true}, esdb.Options{}},
}

func TestStore(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) eventstore.Store {
				leavesNothing(t)
				return open(t, addressOf(serve(t, k.server)), k.store)
			})
		})
	}
}

func TestShared(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			storetest.RunShared(t, func(t *testing.T) (here, there eventstore.Store) {
				leavesNothing(t)
				address := addressOf(serve(t, k.server))
				return open(t, address, k.store), open(t, address, k.store)
			})
		})
	}
}

// within returns a context that ends after a while.
func within(t testing.TB, long time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), long)
}
