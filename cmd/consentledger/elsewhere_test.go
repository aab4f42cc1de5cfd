package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/cmd/internal/server"
	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/freeport"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// An eventStore is a server that speaks EventStoreDB's protocol, at an address that
// stays the same when it is stopped and started.
type eventStore struct {
	t       *testing.T
	server  *esdbserver.Server
	address string
	stop    func()
}

func newEventStore(t *testing.T) *eventStore {
	t.Helper()
	e := &eventStore{t: t, address: freeport.Address(t), server: esdbserver.New(esdbserver.Options{})}
	e.start()
	t.Cleanup(func() { e.stop() })
	return e
}

func (e *eventStore) start() {
	e.t.Helper()
	l, err := net.Listen("tcp", e.address)
	for err != nil && e.t.Context().Err() == nil { // the port is free a moment after the node before has left it
		time.Sleep(20 * time.Millisecond)
		l, err = net.Listen("tcp", e.address)
	}
	done := make(chan error, 1)
	node := e.server
	go func() { done <- node.Serve(l) }()
	e.stop = func() {
		node.Close()
		<-done
		e.server, e.stop = node.Again(), func() {}
	}
}

func (e *eventStore) url() string { return "esdb://" + e.address + "?tls=false" }

// The records are in an event store elsewhere: all else is as always, over restarts
// of the ledger and outages of the store, and what is read from the directory is
// what the server shows.
func TestRecordsElsewhere(t *testing.T) {
	t.Parallel() // it waits until a store is missed, and found again
	t.Run("EventStoreDB", func(t *testing.T) {
		t.Parallel()
		store := newEventStore(t)
		recordElsewhere(t, store.url(), func() { store.stop() }, store.start)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		server := pgservertest.Serve(t)
		run := func(what func(context.Context) error) {
			t.Helper()
			if err := what(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		recordElsewhere(t, server.Address("postgres"), func() {
			run(func(ctx context.Context) error { return server.Stop(ctx, true) })
		}, func() { run(server.Start) })
	})
}

func recordElsewhere(t *testing.T, address string, stop, begin func()) {
	c := server.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Store: address}
	r := startWith(t, c)
	furnish(t, r)
	record := func(kind, data string) {
		t.Helper()
		if out, err := cli(t, r, "record", "--app", "smartkey", "--type", kind, "--subject", "ada", "--data", data); err != nil {
			t.Fatal(out, err)
		}
	}
	record("consent.given", `{"act":"agree-popup","locale":"en"}`)
	if got := may(t, r, "ada", "personalisation"); got != "given" {
		t.Errorf("after a yes: %s", got)
	}

	stop()
	eventually(t, "true", func() string { return fmt.Sprint(strings.Contains(verbose(t, r), "store: ")) })
	if a := checked(t, r, "ada"); a["allowed"] != false || a["status"] != "unknown" {
		t.Errorf("while the store is away: %v", a)
	}
	begin()
	eventually(t, "", func() string { return verbose(t, r) })
	record("consent.withdrawn", `{"all":true}`)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	r = startWith(t, c)
	if got := may(t, r, "ada", "personalisation"); got != "withdrawn" {
		t.Errorf("after a restart: %s", got)
	}
	shown, err := cli(t, r, "replay", "--app", "smartkey", "-o", "jsonl", "--reason", "audit")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	there := server.StoreVariable + "=" + address
	read, err := process(t, there, "replay", "--data", c.Data, "--app", "smartkey", "-o", "jsonl")
	if err != nil || !strings.HasPrefix(read, shown) || strings.Count(shown, "\n") < 4 { // follow-ups may have come behind it
		t.Errorf("%d lines by the server, %d from the directory, %v", strings.Count(shown, "\n"), strings.Count(read, "\n"), err)
	}
	if out, err := process(t, there, "verify", "log", "--data", c.Data, "--app", "smartkey", "--vault", "--forget"); err != nil {
		t.Errorf("verify: %s, %v", out, err)
	}
	if out, err := process(t, there, "replay", "--check", "--data", c.Data); err != nil {
		t.Errorf("replay --check: %s, %v", out, err)
	}
}

// process runs a verb as a process of its own, with a variable in its environment.
func process(t *testing.T, variable string, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "consentledger", args...)
	c.Env = append(os.Environ(), variable)
	out, err := c.Output()
	if failed, is := errors.AsType[*exec.ExitError](err); is {
		err = fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	return string(out), err
}

// checked returns the answer of a check.
func checked(t *testing.T, r *running, who string) map[string]any {
	t.Helper()
	body := fmt.Sprintf(`{"subject":%q,"purpose":"personalisation"}`, who)
	resp, err := http.Post(r.http+"/v1/apps/smartkey/check", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var v map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// A directory and an event store that do not belong together are refused, and a
// mistake in where the store is says what would be right.
func TestRecordsElsewhereAreTheRightOnes(t *testing.T) {
	store := newEventStore(t)
	open := func(dir, address string) error {
		d, err := server.OpenDataDirWith(t.Context(), dir, "live", true, server.DirOptions{Store: address})
		if err != nil {
			return err
		}
		return d.Close()
	}
	refused := func(what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}

	inside := t.TempDir()
	if err := open(inside, ""); err != nil {
		t.Fatal(err)
	}
	refused("a directory with its own records", open(inside, store.url()), "are in it")

	outside := t.TempDir()
	c := server.Config{Data: outside, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Store: store.url()}
	r := startWith(t, c)
	furnish(t, r)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	refused("no address", open(outside, ""), server.StoreVariable)
	refused("somebody else's records", open(t.TempDir(), store.url()), "holds the records of a ledger already")
	refused("another engine", open(outside, "postgres://ledger@127.0.0.1/ledger"), "PostgreSQL")
	refused("another store", open(outside, newEventStore(t).url()), "not there any more")

	refused("another scheme", open(t.TempDir(), "http://"+store.address), "connection string")
	refused("a setting that is none", open(t.TempDir(), store.url()+"&no=1"), "connection string")
	secret := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(secret, []byte(store.url()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(server.StoreFileVariable, secret)
	if err := open(outside, ""); err != nil {
		t.Errorf("by a file: %v", err)
	}
	t.Setenv(server.StoreVariable, store.url())
	refused("two that say it", open(outside, ""), "set one")
	t.Setenv(server.StoreVariable, "")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("an empty file", open(outside, ""), "is empty")

	store.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second) // it is waited for until then
	defer cancel()
	_, err := server.OpenDataDirWith(ctx, outside, "live", true, server.DirOptions{Store: store.url()})
	refused("nobody there", err, store.address)
}
