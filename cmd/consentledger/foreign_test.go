//go:build !windows

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/publication"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/signing"
	"consentledger/cmd/internal/terminal"
)

func TestForeignTextDoesNothingToATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain, 中文\tand more\n": "plain, 中文\tand more\n",
		"\x1b[2J\x1b]0;owned\a": `\u001b[2J\u001b]0;owned\u0007`,
		"a\rb":                  `a\u000db`,
		"a\r\nb":                "a\r\nb",
		"a\u009b31mb":           `a\u009b31mb`,
		"\u202egpj.exe":         `\u202egpj.exe`,
		"\x7f":                  `\u007f`,
		"\xff\xfe":              `\xff\xfe`,
		"\ufffd":                "\ufffd",
		"\U000e0041":            `\U000e0041`,
		"":                      "",
	} {
		if got := terminal.Escaped(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}

		// Byte by byte it comes to the same, but for a line end that is cut in two.
		var out bytes.Buffer
		w := &terminal.EscapingWriter{W: &out}
		for i := range len(in) {
			if _, err := w.Write([]byte{in[i]}); err != nil {
				t.Fatal(err)
			}
		}
		if got := out.String(); got != want && !strings.Contains(in, "\r\n") {
			t.Errorf("%q is written as %q, want %q", in, got, want)
		}
	}
}

// TestWhatAServerSaysDoesNothingToATerminal: also beside what is printed, on
// standard error. It puts files in the place of those of the process: nothing runs beside it.
func TestWhatAServerSaysDoesNothingToATerminal(t *testing.T) {
	const evil = "\x1b]0;owned\a\u009b2J\u202e"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"counts": "no", "reason": evil, "version": evil, "notes": []string{evil}, "event_id": evil})
	}))
	t.Cleanup(server.Close)

	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nowhere.Close() })
	policy := filepath.Join("smartkey", "policy.yaml")
	for _, args := range [][]string{
		{"record", "--app", "shop", "--type", "consent.given", "--subject", "ada"},
		{"policy", "publish", "--app", "shop", policy},
	} {
		told, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
		if err != nil {
			t.Fatal(err)
		}
		out, was := os.Stdout, os.Stderr
		os.Stdout, os.Stderr = nowhere, told
		run(append(args, "--server", server.URL))
		os.Stdout, os.Stderr = out, was
		text, err := os.ReadFile(told.Name())
		if err != nil || bytes.ContainsAny(text, "\x1b\a\u009b\u202e") || !bytes.Contains(text, []byte(`\u001b]0;owned\u0007\u009b2J\u202e`)) {
			t.Errorf("%s tells %q, %v", strings.Join(args[:2], " "), text, err)
		}
	}
}

// TestVerifyReadsPlainFilesOnly: what could hang, never end or lead elsewhere is
// refused wherever a file is named.
func TestVerifyReadsPlainFilesOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain, link, pipe, large := filepath.Join(dir, "plain"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe"), filepath.Join(dir, "large")
	key := "logs.example.com/consent/shop+e253a895+AapsqFxdT2w8/t/3SPVtnvtH++meqiiafOdG6rJYYE5E"
	if err := os.WriteFile(plain, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(plain, link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 1<<30); err != nil {
		t.Fatal(err)
	}

	verify := func(args ...string) (string, error) {
		root := newRoot()
		root.SetArgs(append([]string{"verify"}, args...))
		root.SetOut(io.Discard)
		root.SetErr(io.Discard)
		done := make(chan error, 1)
		go func() { done <- root.ExecuteContext(t.Context()) }()
		select {
		case err := <-done:
			if err == nil {
				return "", nil
			}
			return err.Error(), err
		case <-time.After(time.Minute):
			t.Fatalf("verify %s hangs", args)
			return "", nil
		}
	}
	for _, file := range []struct{ name, want string }{
		{link, "this is a link"}, {pipe, "this is a pipe"}, {"/dev/zero", "this is a device"}, {dir, "this is a directory"}, {large, "it is larger than"},
	} {
		for _, args := range [][]string{
			{"bundle", file.name, "--key", key},
			{"receipt", file.name, "--key", key},
			{"proof", file.name, "--key", key},
			{"receipt", plain, "--key", file.name},
			{"receipt", plain, "--policy", file.name},
			{"log", dir, "--key", key, "--memory", file.name},
		} {
			if args[0] == "log" {
				if err := os.WriteFile(filepath.Join(dir, "checkpoint"), []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if args[0] == "bundle" && file.name == large {
				continue // of a bundle no more is kept than its parts need
			}
			if text, err := verify(args...); err == nil || !strings.Contains(text, file.want) {
				t.Errorf("verify %q: %v, want %q", args, err, file.want)
			}
		}
	}
}

// TestALogIsReadFromPlainFilesOnly: a copy of a log's files is somebody's.
func TestALogIsReadFromPlainFilesOnly(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "checkpoint"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := server.DirSource(dir).Read(t.Context(), "checkpoint"); err == nil || !strings.Contains(err.Error(), "a pipe") {
		t.Errorf("%v, want a word on the pipe", err)
	}
}

// TestFilesOfOnesOwnAreBoundedAndPlain: what a flag names may be a link, as of a
// mounted secret. A pipe or a device would never end, and a wrong file may be large.
func TestFilesOfOnesOwnAreBoundedAndPlain(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("large"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(at("large"), files.MaxEvidence+1); err != nil { // a hole: it takes no room
		t.Fatal(err)
	}
	if err := os.WriteFile(at("text"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"link": "text", "to-pipe": "pipe", "to-zero": "/dev/zero"} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}

	readers := map[string]func(file string) error{
		"--sign":            func(file string) error { _, err := signing.Key{File: file, Signer: "backend"}.Headers(nil); return err },
		"--nats-creds":      func(file string) error { return server.ExternalNATS{Creds: file}.CheckCreds() },
		"--nats-nkey":       func(file string) error { return server.ExternalNATS{Nkey: file}.CheckNkey() },
		"--nats-callout":    func(file string) error { _, err := server.ExternalNATS{Callout: file}.CalloutKeys(); return err },
		"--nats-ca":         func(file string) error { return server.ExternalNATS{CA: file}.CheckCA() },
		"--nats-cert":       func(file string) error { return server.ExternalNATS{Cert: file, Key: at("text")}.CheckCert() },
		"--nats-key":        func(file string) error { return server.ExternalNATS{Cert: at("text"), Key: file}.CheckCert() },
		"--witnesses":       func(file string) error { _, err := server.PolicyOf(file, files.ReadOwnFile); return err },
		"--timestamp-roots": func(file string) error { _, err := server.RootsOf(file, files.ReadOwnFile); return err },
		"--evidence":        func(file string) error { _, err := files.HashOf(file); return err },
		"a text that a policy names": func(file string) error {
			_, err := publication.Beside(at("policy.yaml"))(filepath.Base(file))
			return err
		},
	}
	for flag, read := range readers {
		for _, c := range []struct{ name, want string }{
			{at("pipe"), "this is a pipe"}, {at("to-pipe"), "this is a pipe"}, {"/dev/zero", "this is a device"}, {at("to-zero"), "this is a device"},
			{dir, "this is a directory"}, {at("large"), "it is larger than"},
		} {
			if flag == "a text that a policy names" && !strings.HasPrefix(c.name, dir+"/") {
				continue // it names what is below its folder
			}
			done := make(chan error, 1)
			go func() { done <- read(c.name) }()
			select {
			case err := <-done:
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s %s: %v, want %q", flag, c.name, err, c.want)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s %s hangs", flag, c.name)
			}
		}
		if err := read(at("link")); err != nil && (strings.Contains(err.Error(), "plain file") || strings.Contains(err.Error(), "larger than")) {
			t.Errorf("%s of a link to a plain file: %v", flag, err)
		}
	}
	sum, err := files.HashOf(at("link"))
	if err != nil || sum != "sha256:982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1" {
		t.Errorf("the hash of a text is %s, %v", sum, err)
	}
}

// TestWhoWaitsForInputCanBeInterrupted: a pipe that nobody writes to, and a terminal
// at which nobody types.
func TestWhoWaitsForInputCanBeInterrupted(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"policy", "lint", pipe}, {"policy", "lint", "-"}, {"surface", "publish", "--app", "shop", pipe}, {"record", "--app", "shop", pipe},
		{"verify", "receipt", "--key", "logs.example.com/consent/shop+e253a895+AapsqFxdT2w8/t/3SPVtnvtH++meqiiafOdG6rJYYE5E", "-"},
	} {
		silent, w := io.Pipe()
		root := newRoot()
		root.SetArgs(args)
		root.SetIn(silent)
		root.SetOut(io.Discard)
		root.SetErr(io.Discard)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		done := make(chan error, 1)
		go func() { done <- root.ExecuteContext(ctx) }()
		select {
		case err := <-done:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%q: %v, want that it was interrupted", args, err)
			}
		case <-time.After(time.Minute):
			t.Errorf("%q waits on", args)
		}
		cancel()
		w.Close()
	}
}
