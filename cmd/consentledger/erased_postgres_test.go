package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"consentledger/cmd/internal/server"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/eventstore/vault"
)

// TestNothingOfWhoWasErasedIsInPostgreSQL: records, persons and read models are in PostgreSQL.
// After an erasure no file of the server's holds a byte of the person's words, of their id, of
// what is sealed of them or of the key that it is sealed with, but for the write-ahead log, and
// that neither once what docs/postgres.md says was done; nor does a file of the ledger's
// directory. Of whom a proof is kept, that alone is left, and it goes when it is destroyed. What
// the server itself logs of every statement, with its parameters, has neither their words nor
// their id at any time.
func TestNothingOfWhoWasErasedIsInPostgreSQL(t *testing.T) {
	t.Parallel()
	pg := pgservertest.Serve(t, "wal_recycle = off", "autovacuum = off", "log_statement = all")
	road, err := server.StartNATS(t.TempDir(), "127.0.0.1:0", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { road.Shutdown(); road.WaitForShutdown() })
	keys := filepath.Join(t.TempDir(), "keys")
	if out, err := cli(t, nil, "keys", "new", keys); err != nil {
		t.Fatal(out, err)
	}
	if _, err := pg.SQL(t.Context(), "postgres", "CREATE DATABASE records"); err != nil {
		t.Fatal(err)
	}
	if _, err := pg.SQL(t.Context(), "postgres", "CREATE DATABASE persons"); err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	start := func(dir string) *running {
		r := startWith(t, server.Config{
			Data: dir, HTTP: "127.0.0.1:0", NATS: server.ExternalNATS{URL: road.ClientURL()}, Origin: "logs.example.com/erased",
			Store: pg.Address("records"), Vault: pg.Address("persons"), Views: pg.Address("records"), VaultKeys: keys,
		})
		r.nats = road.ClientURL()
		return r
	}
	var r *running
	again := func() {
		t.Helper()
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		r = start(dir)
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := cli(t, r, args...); err != nil {
			t.Fatalf("%s: %v %s", args[0], err, out)
		}
	}

	// everywhere is the server's files, those that may hold old bytes until the clean-up left
	// out, and the ledger's.
	everywhere := func(of map[string][]byte) []string {
		return slices.Concat(remains(t, pg.Data(), of), remains(t, dir, of))
	}
	tables := func(of map[string][]byte) []string {
		return slices.DeleteFunc(everywhere(of), func(where string) bool { return strings.Contains(where, " in /pg_wal/") })
	}
	cleanUp := func() {
		t.Helper()
		for range 3 {
			if _, err := pg.SQL(t.Context(), "postgres", "SELECT pg_switch_wal(); CHECKPOINT"); err != nil {
				t.Fatal(err)
			}
		}
	}

	r = start(dir)
	run("app", "add", "shop", "--handler", "Shop Ltd")
	run("policy", "publish", "--app", "shop", "testdata/shop/policy.yaml")
	live := func(person, words string) map[string][]byte {
		t.Helper()
		comesByEveryEndpoint(t, r, person, words)
		comesOften(t, r, person)
		again() // what histories fold to is kept
		of := tracesInServer(t, pg.Address("persons"), keys, map[byte]sealedRow{
			'e': {"key", 17}, 'p': {"sealed text", 0}, 's': {"sealed fold", 0}})
		encoded(of, "their id", []byte(person))
		encoded(of, "their words", []byte(words))
		cleanUp()
		found := strings.Join(everywhere(of), " ")
		if !strings.Contains(found, "/base/") || !strings.Contains(found, "a key,") || !strings.Contains(found, "a sealed text,") ||
			!strings.Contains(found, "a sealed fold,") || len(of) < 29 {
			t.Fatalf("of %d traces there is %s: the test tests nothing", len(of), found)
		}
		return of
	}
	erase := func(person string) {
		t.Helper()
		run("subject", "erase", "--app", "shop", "--subject", person, "--reason", "subject-request", "--by", "officer", "--by", "second")
	}

	// Nobody keeps anything.
	of := live("wilhelmina-1871", "the-blue-parlour")
	erase("wilhelmina-1871")
	eventually(t, "[]", func() string { return fmt.Sprint(tables(of)) })
	again()
	cleanUp()
	if left := everywhere(of); len(left) > 0 {
		t.Fatalf("after the clean-up there is %v", left)
	}

	// A duty keeps the proof.
	run("hold", "declare-duty", "--app", "shop", "--duty", "claims", "--law", "GDPR 17(3)(e)", "--reason", "claims", "--keeps", "proof", "--months", "36")
	of = live("ottilie-1902", "the-green-salon")
	erase("ottilie-1902")
	again()
	cleanUp()
	if left := everywhere(of); len(left) > 0 {
		t.Fatalf("beside the proof there is %v", left)
	}
	proof := tracesInServer(t, pg.Address("persons"), keys, map[byte]sealedRow{'j': {"key of a proof", 9}, 'q': {"sealed proof", 0}})
	if kept := fmt.Sprint(everywhere(proof)); !strings.Contains(kept, "a key of a proof,") || !strings.Contains(kept, "a sealed proof,") {
		t.Fatalf("of the proof there is %s", kept)
	}

	// Two disclose it at one process, and one of them opens it at another, which destroys it.
	other := start(t.TempDir())
	at := func(r *running, args ...string) string {
		t.Helper()
		out, err := cli(t, r, args...)
		if err != nil {
			t.Fatalf("%s: %v %s", args[0], err, out)
		}
		return out
	}
	out := at(r, "kept-proof", "disclose", "--app", "shop", "--subject", "ottilie-1902", "--reason", "claim", "--to", "court", "--by", "officer", "--by", "second")
	disclosure := regexp.MustCompile(`"event_id": *"([^"]+)"`).FindStringSubmatch(out)
	if disclosure == nil {
		t.Fatalf("who discloses a proof hears %s", out)
	}
	opened := filepath.Join(t.TempDir(), "opened.json")
	at(other, "kept-proof", "open", "--app", "shop", "--disclosure", disclosure[1], "--why", "the court asks", "--file", opened)
	if text, err := os.ReadFile(opened); err != nil || !strings.Contains(string(text), "the-green-salon") || !strings.Contains(string(text), "ottilie-1902") {
		t.Errorf("what the proof holds: %s, %v", text, err)
	}
	if out := at(other, "kept-proof", "list", "--app", "shop", "-o", "json"); !strings.Contains(out, "claims") || strings.Contains(out, "ottilie") {
		t.Errorf("proofs: %s", out)
	}
	at(other, "kept-proof", "destroy", "--app", "shop", "--subject", "ottilie-1902", "--reason", "subject-request", "--by", "officer", "--by", "second")
	if out := at(r, "kept-proof", "list", "--app", "shop", "-o", "json"); strings.Contains(out, "claims") {
		t.Errorf("at the first process there still is %s", out)
	}
	if err := other.stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "[]", func() string { return fmt.Sprint(tables(proof)) })
	again()
	cleanUp()
	maps.Copy(proof, of)
	if left := everywhere(proof); len(left) > 0 {
		t.Errorf("after the proof is destroyed there is %v", left)
	}

	said := map[string][]byte{}
	for _, words := range []string{"wilhelmina-1871", "the-blue-parlour", "ottilie-1902", "the-green-salon"} {
		encoded(said, words, []byte(words))
	}
	logged, err := os.ReadFile(filepath.Join(pg.Dir(), "log"))
	if err != nil || !regexp.MustCompile(`(?i)parameters: .*\$1 = `).Match(logged) {
		t.Fatalf("the server logs no parameters: %d bytes, %v", len(logged), err)
	}
	for form, trace := range said {
		if bytes.Contains(logged, trace) {
			t.Errorf("the server's log holds %s", form)
		}
	}
}

// tracesInServer is [tracesOf] a vault in PostgreSQL.
func tracesInServer(t *testing.T, at, file string, kinds map[byte]sealedRow) map[string][]byte {
	t.Helper()
	address, err := postgres.ParseAddress(at)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := postgres.OpenRows(address, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := vault.OpenFileKeys(file)
	if err != nil {
		t.Fatal(errors.Join(err, rows.Close()))
	}
	defer rows.Close()
	return tracesIn(t, rows, keys, kinds)
}
