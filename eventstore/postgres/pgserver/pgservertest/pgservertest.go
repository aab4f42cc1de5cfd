// Package pgservertest gives tests servers that end with them.
package pgservertest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"consentledger/eventstore/postgres/pgserver"
)

// Serve starts a server that ends with t. All servers of Serve and [Make] begin with a
// copy of the same data, and have its system identifier: see [Another].
func Serve(t testing.TB, settings ...string) *pgserver.Server {
	t.Helper()
	s, err := Make(t.Context(), filepath.Join(Dir(t), "one"), settings...)
	if err != nil {
		t.Fatal(err)
	}
	StopWith(t, s)
	return s
}

// Another is Serve, of a server that has a system identifier of its own.
func Another(t testing.TB, settings ...string) *pgserver.Server {
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

// Make starts a server below dir. The caller stops it.
func Make(ctx context.Context, dir string, settings ...string) (*pgserver.Server, error) {
	bin, err := pgserver.Find()
	if err != nil {
		return nil, err
	}
	data, err := initial(ctx, bin)
	if err != nil {
		return nil, err
	}
	return pgserver.Copy(ctx, bin, data, dir, settings...)
}

// initial returns the data that servers begin with, in the user's cache: to make them
// takes initdb five times as long as it takes to copy them. Another version of
// PostgreSQL has others.
func initial(ctx context.Context, bin string) (string, error) {
	version, err := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--version").Output()
	if err != nil {
		return "", fmt.Errorf("initdb --version: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(version)
	tools := filepath.Join(cache, "consentledger", "tools")
	data := filepath.Join(tools, fmt.Sprintf("initdb-%x", sum[:6]))
	if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}

	made, err := os.MkdirTemp("", "pg")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	if err := os.Chmod(made, 0o755); err != nil { // PostgreSQL's user looks into it
		return "", err
	}
	s, err := pgserver.Init(ctx, bin, filepath.Join(made, "one"))
	if err != nil {
		return "", err
	}

	// It is moved into place when it is complete. Who else did so meanwhile was first:
	// theirs is as good.
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(tools, "initdb-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if text, err := exec.CommandContext(ctx, "cp", "-a", s.Data(),
		filepath.Join(work, "data")).CombinedOutput(); err != nil {
		return "", fmt.Errorf("copy %s: %w: %s", s.Data(), err, text)
	}
	if err := os.Rename(filepath.Join(work, "data"), data); err != nil {
		if _, there := os.Stat(data); there != nil {
			return "", err
		}
	}
	return data, nil
}

// Main starts a server for a TestMain, which stops it when it ends.
func Main(settings ...string) (s *pgserver.Server, stop func(), err error) {
	dir, err := os.MkdirTemp("", "pg")
	if err == nil {
		err = os.Chmod(dir, 0o755) // PostgreSQL's user looks into it
	}
	if err != nil {
		return nil, nil, err
	}
	if s, err = Make(context.Background(), filepath.Join(dir, "one"), settings...); err != nil {
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
