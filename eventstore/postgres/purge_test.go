package postgres_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// A stain is a row that has to leave the disk, of bytes that are nowhere else.
func stain(n, size int) eventstore.Row {
	r := eventstore.Row{Key: fmt.Appendf(nil, "stain %04d ", n), Value: make([]byte, size)}
	r.Key = append(r.Key, make([]byte, 16)...)
	rand.Read(r.Key[11:])
	rand.Read(r.Value)
	return r
}

// found returns the files of a server that hold one of some bytes, as they are or as
// hex digits.
func found(t testing.TB, s *pgserver.Server, all [][]byte) (names []string) {
	t.Helper()
	sql(t, s, "CHECKPOINT")
	root := filepath.Join(s.Dir(), "data")
	check(t, "walk", filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // it went meanwhile
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for _, b := range all {
			if bytes.Contains(text, b) || bytes.Contains(text, []byte(hex.EncodeToString(b))) {
				name, _ := filepath.Rel(root, path)
				names = append(names, name)
				break
			}
		}
		return nil
	}))
	slices.Sort(names)
	return names
}

// bytesOf are what a row may be found by: its key's random bytes, and the beginning
// and the end of its value.
func bytesOf(rows []eventstore.Row) (all [][]byte) {
	for _, r := range rows {
		all = append(all, r.Key[11:], r.Value[:16], r.Value[len(r.Value)-16:])
	}
	return all
}

// TestPurge searches the files of a server for rows that were deleted.
func TestPurge(t *testing.T) {
	server := pgservertest.Serve(t, "wal_recycle = off", "autovacuum = off")
	r := openRows(t, server.Address("postgres"), postgres.Options{})
	var living, gone []eventstore.Row
	for n := range 600 {
		row := stain(n, []int{40, 200, 7000, 30_000}[n%4]) // the large ones are not beside their keys
		if n%7 == 0 || n >= 592 {                          // also the last ones of their pages
			gone = append(gone, row)
		} else {
			living = append(living, row)
		}
		check(t, "write", r.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{row}}))
	}
	sql(t, server, "ANALYZE")
	if got := sql(t, server, "SELECT count(*) FROM pg_stats WHERE schemaname = 'consentledger_vault' AND tablename LIKE 'rows%'"); got != "0" {
		t.Errorf("%s columns of the rows have statistics, which copy what is in them", got)
	}

	var c eventstore.Change
	for _, row := range gone {
		c.Delete = append(c.Delete, row.Key)
	}
	check(t, "delete", r.Write(t.Context(), c))
	sql(t, server, "VACUUM")
	tables := func(names []string) (in []string) {
		for _, name := range names {
			if !strings.HasPrefix(name, "pg_wal") {
				in = append(in, name)
			}
		}
		return in
	}
	if len(tables(found(t, server, bytesOf(gone)))) == 0 {
		t.Error("VACUUM alone has removed all bytes: this test shows nothing")
	}

	check(t, "purge", r.Purge(within(t, 2*time.Minute)))
	if in := tables(found(t, server, bytesOf(gone))); len(in) > 0 {
		t.Errorf("after the purge bytes of what was deleted are in %q", in)
	}
	n := 0
	for row, err := range r.Scan(t.Context(), nil) {
		check(t, "scan", err)
		if !bytes.Equal(row.Key, living[n].Key) || !bytes.Equal(row.Value, living[n].Value) {
			t.Fatalf("row %d is not what it was", n)
		}
		n++
	}
	if n != len(living) {
		t.Errorf("%d rows live, want %d", n, len(living))
	}
	if got := sql(t, server, "SELECT count(*) FROM consentledger_vault.dirty_v1"); got != "0" {
		t.Errorf("%s parts are still to be written anew", got)
	}

	// The log of the server goes with time: what it has written since takes its place.
	for range 3 {
		sql(t, server, "SELECT pg_switch_wal(); CHECKPOINT")
	}
	if in := found(t, server, bytesOf(gone)); len(in) > 0 {
		t.Errorf("with wal_recycle off, bytes of what was deleted are in %q after checkpoints", in)
	}
}

// TestPurgeWaits has others in the way of a purge.
func TestPurgeWaits(t *testing.T) {
	server := pgservertest.Serve(t)
	r := openRows(t, server.Address("postgres"), postgres.Options{})
	hold := func(statement string) (release func()) {
		t.Helper()
		c := session(t, server)
		_, err := c.Exec(t.Context(), "BEGIN ISOLATION LEVEL REPEATABLE READ")
		check(t, "begin", err)
		_, err = c.Exec(t.Context(), statement)
		check(t, "statement", err)
		return func() {
			_, err := c.Exec(t.Context(), "COMMIT")
			check(t, "commit", err)
		}
	}
	for _, tt := range []struct{ statement, says string }{
		{"SELECT count(*) FROM consentledger_vault.rows_v1", "is read by somebody, as by a backup"},
		{"SELECT count(*) FROM pg_class", "may still be seen by a transaction that began before"},
	} {
		row := stain(1, 100)
		check(t, "write", r.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{row}}))
		release := hold(tt.statement)
		check(t, "delete", r.Write(t.Context(), eventstore.Change{Delete: [][]byte{row.Key}}))
		saysInTime(t, func(ctx context.Context) error { return r.Purge(ctx) }, tt.says)
		if _, _, err := r.Get(within(t, time.Minute), row.Key); err != nil {
			t.Errorf("while a purge waits nothing is read: %v", err)
		}
		release()
		check(t, "purge", r.Purge(within(t, time.Minute)))
		if in := found(t, server, [][]byte{row.Value[:16]}); slices.ContainsFunc(in, func(name string) bool { return strings.HasPrefix(name, "base") }) {
			t.Errorf("it is still in %q", in)
		}
	}
}
