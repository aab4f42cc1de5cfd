package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/cmd/internal/server"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// The vault is in PostgreSQL: another process, with a directory of its own, knows the
// persons that the first has met, and erases whom the first remembers. While the
// server is away the ledger says so, and goes on by itself once it is back.
func TestVaultElsewhere(t *testing.T) {
	run := func(what func(context.Context) error) {
		t.Helper()
		if err := what(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	persons := pgservertest.Serve(t)
	store := newEventStore(t)
	road, err := server.StartNATS(t.TempDir(), "127.0.0.1:0", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { road.Shutdown(); road.WaitForShutdown() })
	keys := filepath.Join(t.TempDir(), "keys")
	if out, err := cli(t, nil, "keys", "new", keys); err != nil {
		t.Fatal(out, err)
	}
	config := func() server.Config {
		return server.Config{
			Data: t.TempDir(), HTTP: "127.0.0.1:0", NATS: server.ExternalNATS{URL: road.ClientURL()}, Origin: "logs.example.com/shared",
			Store: store.url(), Vault: persons.Address("postgres"), VaultKeys: keys,
		}
	}
	record := func(r *running, kind, who, data string) {
		t.Helper()
		if out, err := cli(t, r, "record", "--app", "smartkey", "--type", kind, "--subject", who, "--data", data); err != nil {
			t.Fatal(out, err)
		}
	}
	const agrees = `{"act":"agree-popup","locale":"en"}`

	here := config()
	r := startWith(t, here)
	furnish(t, r)
	record(r, "consent.given", "ada", agrees)
	run(func(ctx context.Context) error { return persons.Stop(ctx, true) })
	eventually(t, "true", func() string { return fmt.Sprint(strings.Contains(verbose(t, r), "vault: ")) })
	if got := may(t, r, "ada", "personalisation"); got != "given" {
		t.Errorf("of whom it remembers, while the vault is away: %s", got)
	}
	run(persons.Start)
	eventually(t, "", func() string { return verbose(t, r) })
	record(r, "consent.given", "bo", agrees)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	there := config()
	r = startWith(t, there)
	for _, who := range []string{"ada", "bo"} {
		if got := may(t, r, who, "personalisation"); got != "given" {
			t.Errorf("the other process says of %s: %s", who, got)
		}
	}
	if out, err := cli(t, r, "subject", "erase", "--app", "smartkey", "--subject", "ada", "--reason", "subject-request", "--by", "officer", "--by", "second"); err != nil {
		t.Fatal(out, err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	// What is left of the erased person elsewhere opens for nobody after this.
	for _, args := range [][]string{{"keys", "advance", keys}, {"keys", "retire", "--vault", here.Vault, keys}} {
		if out, err := cli(t, nil, args...); err != nil {
			t.Fatal(out, err)
		}
	}
	if text, err := os.ReadFile(keys); err != nil || strings.Count(string(text), "epoch ") != 1 {
		t.Errorf("the file of keys has %d epochs, want the newest, %v", strings.Count(string(text), "epoch "), err)
	}

	r = startWith(t, here)
	if got := may(t, r, "ada", "personalisation"); got != "never-asked" {
		t.Errorf("of whom another process has erased: %s", got)
	}
	if got := may(t, r, "bo", "personalisation"); got != "given" {
		t.Errorf("of whom nobody has erased: %s", got)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	t.Setenv(server.StoreVariable, store.url())
	t.Setenv(server.VaultVariable, here.Vault)
	t.Setenv(server.KeysVariable, keys)
	if out, err := cli(t, nil, "verify", "log", "--data", here.Data, "--app", "smartkey", "--vault", "--forget"); err != nil {
		t.Errorf("verify: %s, %v", out, err)
	}
	for _, name := range []string{server.StoreVariable, server.VaultVariable, server.KeysVariable} {
		t.Setenv(name, "")
	}
	t.Run("what does not belong together is refused", func(t *testing.T) { refuseWrongVault(t, here) })
}

// refuseWrongVault opens a directory whose vault is elsewhere in all ways that are
// wrong.
func refuseWrongVault(t *testing.T, c server.Config) {
	right := server.DirOptions{Store: c.Store, Vault: c.Vault, VaultKeys: c.VaultKeys}
	other, otherKeys := pgservertest.Another(t), filepath.Join(t.TempDir(), "keys")
	if out, err := cli(t, nil, "keys", "new", otherKeys); err != nil {
		t.Fatal(out, err)
	}
	if _, err := cli(t, nil, "keys", "new", otherKeys); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("keys are made where there are some: %v", err)
	}
	open := func(dir string, change func(*server.DirOptions)) error {
		with := right
		change(&with)
		d, err := server.OpenDataDirWith(t.Context(), dir, "live", true, with)
		if err != nil {
			return err
		}
		return d.Close()
	}
	if err := open(c.Data, func(*server.DirOptions) {}); err != nil {
		t.Fatalf("what is right: %v", err)
	}
	alone := t.TempDir()
	if err := open(alone, func(o *server.DirOptions) { *o = server.DirOptions{Store: newEventStore(t).url()} }); err != nil {
		t.Fatal(err)
	}
	readable := filepath.Join(t.TempDir(), "keys")
	text, err := os.ReadFile(c.VaultKeys)
	if err == nil {
		err = os.WriteFile(readable, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}

	if _, err := cli(t, nil, "keys", "retire", "--vault", other.Address("postgres"), otherKeys); err == nil || !strings.Contains(err.Error(), "there is no vault") {
		t.Errorf("keys are retired of a vault that is not there: %v", err)
	}
	if _, err := cli(t, nil, "keys", "retire", "--vault", c.Vault, otherKeys); err == nil || !strings.Contains(err.Error(), "not the keys") {
		t.Errorf("keys are retired of somebody else's vault: %v", err)
	}

	for _, tt := range []struct {
		what, dir string
		change    func(*server.DirOptions)
		want      string
	}{
		{"no vault", c.Data, func(o *server.DirOptions) { o.Vault = "" }, "the persons of data directory"},
		{"no event store", t.TempDir(), func(o *server.DirOptions) { o.Store = "" }, "the records are in this one's data directory"},
		{"no keys", c.Data, func(o *server.DirOptions) { o.VaultKeys = "" }, "consentledger keys new makes one"},
		{"keys that are not there", c.Data, func(o *server.DirOptions) { o.VaultKeys += "-no" }, "there is no file"},
		{"keys for all to read", c.Data, func(o *server.DirOptions) { o.VaultKeys = readable }, "open to others"},
		{"other keys", c.Data, func(o *server.DirOptions) { o.VaultKeys = otherKeys }, "not the keys that this vault was made with"},
		{"a directory with its own persons", alone, func(*server.DirOptions) {}, "are in it, and not in"},
		{"an engine that keeps no persons", c.Data, func(o *server.DirOptions) { o.Vault = c.Store }, "cannot be in EventStoreDB"},
		{"an empty database in its place", c.Data, func(o *server.DirOptions) { o.Vault = other.Address("template1") }, "is not in the database"},
		{"a vault that does not know the records", t.TempDir(), func(o *server.DirOptions) { o.Vault = other.Address("postgres") }, "nothing was ever written there with this vault"},
		{"another vault in its place", c.Data, func(o *server.DirOptions) { o.Vault = other.Address("postgres") }, "had been changed"},
		{"records that the vault does not know", t.TempDir(), func(o *server.DirOptions) { o.Store = newEventStore(t).url() }, "not there any more"},
	} {
		if err := open(tt.dir, tt.change); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.what, err, tt.want)
		}
	}
}
