// Package pgservertest gives tests servers that end with them.
package pgservertest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"consentledger/eventstore/postgres/pgserver"
)

// Serve starts a server that ends with t.
func Serve(t testing.TB, settings ...string) *pgserver.Server {
	t.Helper()
	bin, err := pgserver.Find()
	if err != nil {
		t.Fatal(err)
	}
	s, err := pgserver.Make(t.Context(), bin, filepath.Join(Dir(t), "one"), settings...)
	if err != nil {
		t.Fatal(err)
	}
	StopWith(t, s)
	return s
}

// Main starts a server for a TestMain, which stops it when it ends.
func Main(settings ...string) (s *pgserver.Server, stop func(), err error) {
	bin, err := pgserver.Find()
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "pg")
	if err == nil {
		err = os.Chmod(dir, 0o755) // PostgreSQL's user looks into it
	}
	if err != nil {
		return nil, nil, err
	}
	if s, err = pgserver.Make(context.Background(), bin, filepath.Join(dir, "one"), settings...); err != nil {
		return nil, nil, err
	}
	return s, func() {
		_ = s.Stop(context.Background(), true) // it goes with the process
		_ = os.RemoveAll(dir)
	}, nil
}

// Standby starts a server that follows another and ends with t.
func Standby(t testing.TB, primary *pgserver.Server, settings ...string) *pgserver.Server {
	t.Helper()
	s, err := primary.Standby(t.Context(), filepath.Join(Dir(t), "two"), settings...)
	if err != nil {
		t.Fatal(err)
	}
	StopWith(t, s)
	return s
}

// Dir returns a directory that PostgreSQL's user can enter and that goes with t:
// those of testing cannot be entered by others. Its name is short, since a
// socket's path has at most 107 bytes.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// StopWith ends a server with t, if it runs then.
func StopWith(t testing.TB, s *pgserver.Server) {
	t.Cleanup(func() {
		if _, err := s.PID(); err != nil {
			return // it was stopped
		}
		if err := s.Stop(context.Background(), true); err != nil {
			t.Log(err)
		}
	})
}
