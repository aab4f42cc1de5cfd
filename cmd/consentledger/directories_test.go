package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// TestOldDirectoriesOpen opens every data directory of testdata/directories
// with the program of today and wants what was read from it when it was made:
// see the README there.
func TestOldDirectoriesOpen(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/directories/*.tar.gz")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d directories, %v", len(names), err)
	}
	for _, name := range names {
		name = strings.TrimSuffix(name, ".tar.gz")
		t.Run(filepath.Base(name), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			untar(t, name+".tar.gz", dir)
			got, last := readOffline(t, dir)
			copied := filepath.Join(t.TempDir(), "data")
			untar(t, name+".tar.gz", copied)
			got = append(got, readParts(t, copied)...)
			r := start(t, dir, false)
			got = append(got, readOnline(t, r, last)...)
			verifyOld(t, r, dir, name+".memory")
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			compareOld(t, name+".jsonl", got)
		})
	}
}

// A reading is one thing that was read from a directory: what it is, and what
// it says.
type reading struct {
	Of   string `json:"of"`
	Says any    `json:"says"`
}

// readParts reads every personal part of a directory. That is recorded, each
// time: read another copy of it for the rest.
func readParts(t *testing.T, dir string) (all []reading) {
	t.Helper()
	d, err := server.OpenDataDir(t.Context(), dir, "live", false)
	if err != nil {
		t.Fatal(err)
	}
	var entries []codec.Entry
	for e, err := range d.Ledger.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	for _, e := range entries {
		for _, p := range e.Parts {
			opened, err := d.Ledger.Access(t.Context(), ledger.Access{
				App: e.Stream.App, ID: e.ID.String() + p.Role, Actor: string(ident.System), RecordedBy: "test",
				DataAccessed: domain.DataAccessed{Kind: domain.AccessExport, Parts: 1, Records: 1, Reason: "test", Name: "the test", Words: "old directories open"},
			})
			if err != nil {
				t.Fatal(err)
			}
			text, ok, err := opened.Reveal(t.Context(), e, p.Role)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, reading{fmt.Sprintf("part %s of record %d", p.Role, e.Position), fmt.Sprintf("%t %x", ok, sha256.Sum256([]byte(text)))})
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

// readOffline reads every record and the history from a stopped
// directory, and says when the last record was taken.
func readOffline(t *testing.T, dir string) (all []reading, last deadline.Instant) {
	t.Helper()
	d, err := server.OpenDataDir(t.Context(), dir, "live", false)
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range d.DB.Store().ReadAll(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, reading{fmt.Sprintf("record %d", r.Position), fmt.Sprintf("%s %s %s %x", r.ID, r.Stream, r.Type, sha256.Sum256(r.Data))})
	}
	for e, err := range d.Ledger.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		last = max(last, e.Recorded)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return append(all, linesOf(t, nil, "history", "replay", "--data", dir)...), last
}

// readOnline asks a server where the persons of a directory stood, and what was
// owed, when the last record was taken.
func readOnline(t *testing.T, r *running, last deadline.Instant) (all []reading) {
	t.Helper()
	for _, app := range []string{"shop", demo.App} {
		for _, person := range []string{"ada", "bea", "cleo", "dora", "eva", "gus", "kid", "device:tablet"} {
			if app == demo.App && person != "ada" && person != "bea" {
				continue
			}
			what := "where " + person + " stands with " + app
			all = append(all, linesOf(t, r, what, "state", "--app", app, "--subject", person, "--known-at", last.String(), "-o", "jsonl")...)
		}
	}
	all = append(all, owedOf(linesOf(t, r, "what is owed", "report", "deadlines", "--app", demo.App, "--known-at", last.String(), "-o", "jsonl"))...)
	return append(all, linesOf(t, r, "requests", "request", "list", "--app", demo.App, "--known-at", last.String(), "-o", "jsonl")...)
}

// owedOf keeps of a report what facts hold. How near a date is, is judged when
// the report is read, and may be judged better one day.
func owedOf(rows []reading) []reading {
	for _, row := range rows {
		maps.DeleteFunc(row.Says.(map[string]any), func(name string, _ any) bool {
			return !slices.Contains([]string{"stream", "id", "person", "kind", "types", "target", "rule", "cause", "start", "due_date", "due", "provisional", "gap", "safe_target", "moves", "met_at", "met_by", "calendars"}, name)
		})
	}
	return rows
}

// linesOf runs a verb, and calls each line that it prints by what it is about.
func linesOf(t *testing.T, r *running, of string, args ...string) (all []reading) {
	t.Helper()
	out, err := cli(t, r, args...)
	if err != nil || out == "" {
		t.Fatalf("%v: %q %v", args, out, err)
	}
	for line := range strings.Lines(out) {
		var says map[string]any
		if err := json.Unmarshal([]byte(line), &says); err != nil {
			t.Fatal(err)
		}
		name := of
		for _, member := range []string{"event_id", "purpose", "id"} {
			if id, ok := says[member].(string); ok {
				name += " " + id
			}
		}
		if stream, ok := says["stream"].(string); ok {
			name += " of " + stream
		}
		all = append(all, reading{name, says})
	}
	return all
}

// verifyOld wants the log to be the one that was verified when the directory
// was made, and to go on from there.
func verifyOld(t *testing.T, r *running, dir, memory string) {
	t.Helper()
	text, err := os.ReadFile(memory)
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "memory")
	if err := os.WriteFile(kept, text, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "true", func() string { // the tiles come a moment later
		out, err := cli(t, r, "verify", "log", "--app", demo.App, "--memory", kept)
		if _, wrong := errors.AsType[exit.NotAuthenticError](err); wrong {
			t.Fatalf("%s %v", out, err)
		}
		return fmt.Sprint(err == nil && strings.Contains(out, "consistent with 1 checkpoints seen before"))
	})
}

// compareOld compares with what was read when the directory was made.
func compareOld(t *testing.T, name string, got []reading) {
	t.Helper()
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) && os.Getenv("UPDATE") != "" {
		var b bytes.Buffer
		for _, f := range got {
			line, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(line, '\n'))
		}
		text, err = b.Bytes(), os.WriteFile(name, b.Bytes(), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	is := map[string]any{}
	for _, f := range got {
		is[f.Of] = f.Says
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		var want reading
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatal(err)
		}
		if n++; !holds(is[want.Of], want.Says) {
			t.Errorf("%s was\n%v\nand is\n%v", want.Of, want.Says, is[want.Of])
		}
	}
	if n < 100 || len(is) != n {
		t.Errorf("%d things were read when it was made, %d now", n, len(is))
	}
}

// holds reports whether got says what want says: objects may have members that
// came since.
func holds(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for name, w := range want {
			ok = ok && holds(g[name], w)
		}
		return ok
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(g, want, holds)
	}
	return reflect.DeepEqual(got, want)
}

func TestWhatWasReadMayOnlyGainMembers(t *testing.T) {
	for _, c := range []struct {
		got, want string
		holds     bool
	}{
		{`{"a":1,"b":2}`, `{"a":1}`, true},
		{`{"a":1}`, `{"a":1,"b":2}`, false},
		{`{"a":2}`, `{"a":1}`, false},
		{`[{"a":1,"b":2}]`, `[{"a":1}]`, true},
		{`[1,2]`, `[1]`, false},
		{`"x"`, `{"a":1}`, false},
	} {
		var got, want any
		if err := errors.Join(json.Unmarshal([]byte(c.got), &got), json.Unmarshal([]byte(c.want), &want)); err != nil {
			t.Fatal(err)
		}
		if holds(got, want) != c.holds {
			t.Errorf("%s of %s: %t", c.got, c.want, !c.holds)
		}
	}
}

// untar unpacks a directory: its files are the owner's alone.
func untar(t *testing.T, name, dir string) {
	t.Helper()
	packed, err := os.ReadFile(name)
	if err != nil || len(packed) > 300_000 {
		t.Fatalf("%s: %d bytes, want at most 300,000; %v", name, len(packed), err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || !filepath.IsLocal(h.Name) {
			t.Fatalf("%s: %v", name, err)
		}
		to := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(to, 0o700)
		} else {
			var text []byte
			text, err = io.ReadAll(files)
			err = errors.Join(err, os.WriteFile(to, text, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
