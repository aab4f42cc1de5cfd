package projectiontest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/projections/readmodel"
)

// server is the PostgreSQL server of the tests that run; nil: they run on SQLite.
var server *pgserver.Server

// names is how many places there were on the server.
var names atomic.Int64

// Place returns an empty place for read models, on the engine under test.
func Place(t testing.TB) readmodel.Place {
	t.Helper()
	if server == nil {
		return readmodel.Dir(t.TempDir())
	}
	return Database(t, server, readmodel.Options{})
}

// Database returns an empty place on a server.
func Database(t testing.TB, s *pgserver.Server, o readmodel.Options) *readmodel.Database {
	t.Helper()
	at, err := postgres.ParseAddress(s.Address("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if o.Name == "" {
		o.Name = fmt.Sprint("v", names.Add(1))
	}
	d, err := readmodel.NewDatabase(at, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Main runs a package's tests on SQLite, and once more on a PostgreSQL server of their
// own, but for those that skip names: they are the same on any engine.
func Main(m *testing.M, skip string) int {
	if code := m.Run(); code != 0 {
		return code
	}

	end, err := serve()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer end()
	if err := flag.Set("test.skip", skip); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	fmt.Println("once more, on PostgreSQL")
	return m.Run()
}

// serve starts the server. What is on it need not outlast a crash.
func serve() (end func(), err error) {
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}

	s, err := pgservertest.Make(context.Background(), dir+"/one", "max_connections = 200", "fsync = off")
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}

	server = s
	return func() {
		_ = s.Stop(context.Background(), true)
		_ = os.RemoveAll(dir)
	}, nil
}
