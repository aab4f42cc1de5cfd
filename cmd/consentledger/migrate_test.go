package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// A movable is a data directory with some history, as a killed server left it.
type movable struct {
	t       *testing.T
	program string
	dir     string // the original: it is copied
	history string
}

func newMovable(t *testing.T) movable {
	m := movable{t: t, program: build(t), dir: filepath.Join(t.TempDir(), "data")}
	r := startWith(t, serveConfig{data: m.dir, http: "127.0.0.1:0", natsListen: "127.0.0.1:0"})
	furnish(t, r)
	for i := range 40 {
		kind, data := "consent.given", `{"act":"agree-popup","locale":"en"}`
		if i%4 == 3 {
			kind, data = "consent.withdrawn", `{"all":true}`
		}
		if out, err := cli(t, r, "record", "--app", "smartkey", "--type", kind, "--subject", fmt.Sprintf("person-%d", i/4), "--data", data); err != nil {
			t.Fatal(out, err)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	var err error
	if m.history, err = m.replay(m.dir, ""); err != nil || strings.Count(m.history, "\n") < 40 {
		t.Fatalf("%v\n%s", err, m.history)
	}
	return m
}

// replay returns the history that a directory has, if it can be opened.
func (m movable) replay(dir, store string) (string, error) {
	cmd := exec.Command(m.program, "replay", "--data", dir, "--app", "smartkey", "-o", "jsonl")
	cmd.Env = append(os.Environ(), storeVariable+"="+store)
	out, err := cmd.Output()
	return string(out), err
}

// copyTo copies the original.
func (m movable) copyTo(to string) {
	m.t.Helper()
	err := filepath.WalkDir(m.dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(m.dir, path)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		return copyFile(filepath.Join(to, name), path)
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// A migration may be killed at any moment, again and again: run once more it goes on,
// and in the end the target has the whole history. At no moment can both be opened.
func TestAKilledMigrationGoesOn(t *testing.T) {
	m := newMovable(t)
	var server *pgserver.Server
	migrations, _ := rounds(t, 2)
	for round := range migrations {
		store := ""
		if round%2 == 1 {
			if server == nil {
				server = pgservertest.Serve(t)
			}
			name := fmt.Sprintf("killed%d", round)
			if _, err := server.SQL(t.Context(), "postgres", "CREATE DATABASE "+name); err != nil {
				t.Fatal(err)
			}
			store = server.Address(name)
		}
		m.killUntilDone(t.TempDir(), store)
	}
}

func (m movable) killUntilDone(dir, store string) {
	t := m.t
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	m.copyTo(from)
	args := []string{"migrate", "--from", from, "--to", to}
	if store != "" {
		args = append(args, "--to-store", store)
	}
	kills := 0
	for patience := 40 * time.Millisecond; ; patience *= 2 {
		var out bytes.Buffer
		cmd := exec.Command(m.program, args...)
		cmd.Stderr = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(rand.Int64N(int64(patience))), func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if code := cmd.ProcessState.ExitCode(); err != nil && code >= 0 && code != exitConflict {
			t.Fatalf("migrate after %d kills: %v\n%s", kills, err, &out)
		}

		_, away, err := readFormat(from)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = readFormat(to)
		if away.id == "" && err == nil {
			t.Fatal("both can be opened")
		}
		if err == nil {
			break
		}
		kills++
	}
	t.Logf("killed %d times", kills)
	if got, err := m.replay(to, store); err != nil || got != m.history {
		t.Fatalf("after %d kills the target has\n%s\nwant\n%s%v", kills, got, m.history, err)
	}
	if out, err := cli(t, nil, "verify", "log", "--data", from, "--app", "smartkey", "--vault", "--forget"); err == nil {
		t.Errorf("what was moved can be opened: %s", out)
	}
}

// Every row that a ledger keeps is of a kind of which it is known what becomes of it.
func TestEveryRowIsOfAKind(t *testing.T) {
	c := serveConfig{data: t.TempDir(), http: "127.0.0.1:0", natsListen: "127.0.0.1:0", demo: true}
	r := startWith(t, c)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	d, err := openRecords(c.data)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	seen := map[string]int{}
	for row, err := range d.db.Rows().Scan(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		k, err := kindOfRow(row.Key)
		if err != nil {
			t.Error(err)
		}
		seen[k.prefix]++
	}
	for _, want := range []string{"v/", "b/", "l/", "n/", "r/"} {
		if seen[want] == 0 {
			t.Errorf("no row of kind %s in %v", want, seen)
		}
	}
	if _, unknown, err := filesOf(c.data); err != nil || len(unknown) > 0 {
		t.Errorf("entries of a data directory that are not known: %q, %v", unknown, err)
	}
	if _, err := kindOfRow([]byte("x/1")); err == nil {
		t.Error("a row of no known kind is taken")
	}
}

func FuzzMigrationNote(f *testing.F) {
	n := newMigrationNote("/var/lib/ledger \"1\"\n")
	f.Add(n.text())
	n.records, n.last = 7, eventstore.EventID{1}
	f.Add(n.text())
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseMigrationNote(text)
		if err != nil {
			return
		}
		if again, err := parseMigrationNote(n.text()); err != nil || again != n {
			t.Errorf("%+v is written as %q, and read as %+v, %v", n, n.text(), again, err)
		}
	})
}
