package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore/embedded/failing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestAStoreThatDiedStartsAnew: a write fails, once, for a reason that has nothing to
// do with room, or because no byte is left and the disk does not say so. The ledger
// goes on answering, and starts anew by itself. What it acknowledged is there.
func TestAStoreThatDiedStartsAnew(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
		t.Run(errno.Error(), func(t *testing.T) {
			dir := t.TempDir()
			var failed atomic.Pointer[syscall.Errno]
			disk := failing.FS{FS: vfs.Default, Fails: func(op string) error {
				if errno := failed.Load(); errno != nil {
					return &os.PathError{Op: op, Path: "store", Err: *errno}
				}
				return nil
			}}
			ended := make(chan error, 1)
			r := startWith(t, server.Config{Data: filepath.Join(dir, "data"), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Files: disk})
			furnish(t, r)
			recordYes(t, r, "ada")

			failed.Store(&errno)
			_, err := cli(t, r, "record", "--app", "smartkey", "--type", "consent.withdrawn", "--subject", "ada", "--data", `{"all":true}`)
			if exit.Code(t.Context(), err) != exit.CodeUnavailable {
				t.Errorf("recorded on a disk that fails: %v", err)
			}
			go func() { ended <- r.wait() }()
			select {
			case err := <-ended:
				if !errors.Is(err, server.ErrRestart) {
					t.Errorf("serve ended with %v", err)
				}
			case <-time.After(time.Minute):
				t.Fatal("the ledger does not start anew")
			}

			// The process is replaced; this one still holds the files, so they are copied.
			copied := filepath.Join(dir, "copied")
			if err := os.CopyFS(copied, os.DirFS(filepath.Join(dir, "data"))); err != nil {
				t.Fatal(err)
			}
			private := func(name string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				return os.Chmod(name, 0o600)
			}
			if err := filepath.WalkDir(copied, private); err != nil {
				t.Fatal(err)
			}
			again := start(t, copied, false)
			if got := may(t, again, "ada", "personalisation"); got != "given" {
				t.Errorf("after the start: %s", got)
			}
			recordYes(t, again, "bo")
		})
	}
}

// startedAnew is a program that replaces itself once, as serve does.
func startedAnew() {
	if os.Getenv("STARTED_ANEW") != "" {
		fmt.Println(os.Getpid(), strings.Join(os.Args[1:], "|"))
		return
	}
	fmt.Println(os.Getpid())
	os.Setenv("STARTED_ANEW", "1")
	fmt.Println("it came back:", server.StartAnew())
	os.Exit(exit.CodeUnavailable)
}

// TestAProcessReplacesItself: it is the same process for whoever supervises it, with
// the same arguments and environment.
func TestAProcessReplacesItself(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Its name tells the test program which part it plays.
	c := exec.CommandContext(t.Context(), program, "serve", "--data", "a b", "")
	c.Args[0] = "started-anew"
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if want := fmt.Sprint(c.Process.Pid); len(lines) != 2 || lines[0] != want || lines[1] != want+" serve|--data|a b|" {
		t.Errorf("process %s says %q", want, lines)
	}
}
