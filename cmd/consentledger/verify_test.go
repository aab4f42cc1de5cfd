package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/progress"
	"consentledger/cmd/internal/server"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/merkle"
)

// recordYes records a grant of somebody and returns its event.
func recordYes(t *testing.T, r *running, who string) string {
	t.Helper()
	out, err := cli(t, r, "record", "--app", "smartkey", "--type", "consent.given", "--subject", who, "--data", `{"act":"agree-popup"}`, "-o", "jsonl")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(out, `"event_id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// covered waits until an event is in a published checkpoint.
func covered(t *testing.T, r *running, event string) {
	t.Helper()
	eventually(t, "true", func() string {
		_, err := cli(t, r, "log", "fetch-proof", "--app", "smartkey", "--event", event)
		return fmt.Sprint(err == nil)
	})
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	// CopyFS adds what the umask allows; keys are for their owner alone.
	err := filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tellThree starts a server in dir, tells it the grants of three people, and stops
// it when checkpoints cover all.
func tellThree(t *testing.T, dir string, who ...string) {
	t.Helper()
	r := start(t, dir, false)
	if len(who) == 0 {
		for _, args := range [][]string{{"app", "add", "smartkey", "--handler", "Demo Ltd"}, {"policy", "publish", "--app", "smartkey", "smartkey/policy.yaml"}} {
			if _, err := cli(t, r, args...); err != nil {
				t.Fatal(err)
			}
		}
		who = []string{"ann", "bo", "cy"}
	}
	last := ""
	for _, w := range who {
		last = recordYes(t, r, w)
	}
	covered(t, r, last)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// TestOlderStoreIsRefused: a backup of the store is brought back, and what was
// signed last is newer.
func TestOlderStoreIsRefused(t *testing.T) {
	t.Parallel()
	dir, backup := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup")
	tellThree(t, dir)
	copyDir(t, dir, backup)
	tellThree(t, dir, "dee", "ed")
	copyDir(t, filepath.Join(backup, "store"), filepath.Join(dir, "store"))
	for _, views := range []string{"there", "gone"} {
		err := server.Run(t.Context(), server.Config{Data: dir, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0"}, new(strings.Builder))
		if err == nil || !strings.Contains(err.Error(), "the store is older than what was signed") {
			t.Errorf("views %s: served with %v", views, err)
		}
		if err == nil || !strings.Contains(err.Error(), "log renew --records-lost") {
			t.Errorf("views %s: no way out is named: %v", views, err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "views")); err != nil {
			t.Fatal(err)
		}
	}
	wayOut(t, dir)
}

// wayOut begins the logs anew, since the newer store is lost for good.
func wayOut(t *testing.T, dir string) {
	t.Helper()
	why := []string{"log", "renew", "--data", dir, "--origin", "example.com/after", "--why", "the disk died, and yesterday's backup is all there is"}
	if _, err := cli(t, nil, why...); err == nil || !strings.Contains(err.Error(), "older than what was signed") {
		t.Errorf("begun anew without a word of what is lost: %v", err)
	}
	out, err := cli(t, nil, append(why, "--records-lost")...)
	if err != nil || !strings.Contains(out, "log.lost-1") {
		t.Fatalf("%s, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "log.lost-1", "keep", "smartkey.signed")); err != nil {
		t.Errorf("what was signed is not kept: %v", err)
	}
	r := start(t, dir, false)
	covered(t, r, recordYes(t, r, "fay"))
	if w, err := http.Get(r.http + "/log/smartkey/checkpoint"); err != nil || w.StatusCode != 200 {
		t.Errorf("the checkpoint: %v, %v", w, err)
	} else if text, err := io.ReadAll(w.Body); err != nil || !strings.HasPrefix(string(text), "example.com/after/smartkey\n") {
		t.Errorf("the checkpoint: %s, %v", text, err)
	}
	if may(t, r, "ann", "personalisation") != "given" || may(t, r, "dee", "personalisation") != "never-asked" {
		t.Error("what the older store knows is not what is answered")
	}
	if code, v := get(t, r.http+"/readyz?verbose"); code != 200 {
		t.Errorf("readyz: %d %v", code, v)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// TestAnotherHistoryIsReadOnly: the store holds another history than was
// signed. Nothing is signed or recorded any more, health is red, and what the
// ledger knows can still be read.
func TestAnotherHistoryIsReadOnly(t *testing.T) {
	t.Parallel()
	dir, other := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "other")
	tellThree(t, dir)
	copyDir(t, dir, other)
	tellThree(t, dir, "dee")
	tellThree(t, other, "eve", "fay", "gus")
	copyDir(t, filepath.Join(dir, "log"), filepath.Join(other, "log"))
	signed, err := os.ReadFile(filepath.Join(other, "log", "smartkey.signed"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(other, "views")); err != nil {
		t.Fatal(err)
	}
	r := start(t, other, false)
	defer r.stop()
	eventually(t, "503", func() string {
		code, _ := get(t, r.http+"/readyz")
		return fmt.Sprint(code)
	})
	if _, v := get(t, r.http+"/readyz?verbose"); !strings.Contains(fmt.Sprint(v), "a record was changed, removed, inserted or moved") {
		t.Errorf("readyz: %v", v)
	}
	if _, v := get(t, r.http+"/v1/status"); !strings.Contains(fmt.Sprint(v), "but") {
		t.Errorf("status: %v", v)
	}
	_, err = cli(t, r, "record", "--app", "smartkey", "--type", "consent.given", "--subject", "hal", "--data", `{"act":"agree-popup"}`)
	if code := exit.Code(context.Background(), err); code != exit.CodeUnavailable {
		t.Errorf("recorded with %v, exit code %d", err, code)
	}
	if status := may(t, r, "eve", "personalisation"); status != "given" {
		t.Errorf("eve: %s", status)
	}
	if code, _ := status(t, r.http+"/log/smartkey/checkpoint"); code != http.StatusServiceUnavailable {
		t.Errorf("the checkpoint: %d", code)
	}
	if now, err := os.ReadFile(filepath.Join(other, "log", "smartkey.signed")); err != nil || string(now) != string(signed) {
		t.Errorf("something was signed: %v", err)
	}
}

// TestLostSigningState: the directory with the signing keys is gone. Nothing
// is made up in its place, what is known can be read, and an operator alone
// begins anew.
func TestLostSigningState(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	tellThree(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	r := start(t, dir, false)
	if _, v := get(t, r.http+"/readyz?verbose"); !strings.Contains(fmt.Sprint(v), "bring it back from where you keep it") {
		t.Errorf("readyz: %v", v)
	}
	if code, _ := get(t, r.http+"/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", code)
	}
	_, err := cli(t, r, "record", "--app", "smartkey", "--type", "consent.given", "--subject", "hal", "--data", `{"act":"agree-popup"}`)
	if code := exit.Code(context.Background(), err); code != exit.CodeUnavailable {
		t.Errorf("recorded with %v, exit code %d", err, code)
	}
	if status := may(t, r, "ann", "personalisation"); status != "given" {
		t.Errorf("ann: %s", status)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "log")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made up: %v", err)
	}
	if out, err := cli(t, nil, "log", "renew", "--data", dir, "--origin", "example.com/second", "--why", "the disk died"); err != nil || !strings.Contains(out, "log.lost-1") {
		t.Fatalf("%s: %v", out, err)
	}
	tellThree(t, dir, "ivy")
	out, err := cli(t, nil, "verify", "log", dir, "--app", "smartkey", "--forget")
	if err != nil || !strings.Contains(out, "of the log example.com/second/smartkey") {
		t.Errorf("%s: %v", out, err)
	}
	if _, err := cli(t, nil, "log", "renew", "--data", dir, "--why", "once more"); !errors.Is(err, transparency.ErrNotLost) {
		t.Errorf("begun anew although nothing is lost: %v", err)
	}
}

// status asks and returns the status alone.
func status(t *testing.T, url string) (int, error) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, errors.Join(resp.Body.Close())
}

// TestDirectoryThatGrows: a checkpoint was read, and by the time its partial
// tiles are wanted only wider ones are there.
func TestDirectoryThatGrows(t *testing.T) {
	dir := t.TempDir()
	var hashes, bundle []byte
	var leaf merkle.Leaf
	want := map[int][2][]byte{}
	for i := range 256 {
		record := fmt.Appendf(nil, "record %d", i)
		h := leaf.Hash(record)
		hashes, bundle = append(hashes, h[:]...), merkle.AppendEntry(bundle, record)
		want[i+1] = [2][]byte{slices.Clone(hashes), slices.Clone(bundle)}
	}
	write := func(w int) {
		for i, level := range []int{0, -1} {
			name := filepath.Join(dir, merkle.Path(merkle.Tile{H: 8, L: level, W: w}))
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, want[w][i], 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, there := range []int{100, 256} {
		write(there)
		for _, w := range []int{1, 24, 99, 100} {
			files, err := server.DirSource(dir).Read(t.Context(), merkle.Path(merkle.Tile{H: 8, W: w}), merkle.Path(merkle.Tile{H: 8, L: -1, W: w}))
			if err != nil || !bytes.Equal(files[0], want[w][0]) || !bytes.Equal(files[1], want[w][1]) {
				t.Errorf("width %d of %d: %v", w, there, err)
			}
		}
		os.RemoveAll(filepath.Join(dir, "tile", "0", "000.p"))
		os.RemoveAll(filepath.Join(dir, "tile", "entries", "000.p"))
	}
	files, err := server.DirSource(dir).Read(t.Context(), "tile/0/001.p/3", "tile/0/001", "tile/entries/001.p/3", "checkpoint")
	if err != nil || files[0] != nil || files[1] != nil || files[2] != nil || files[3] != nil {
		t.Errorf("what is not there: %v, %v", files, err)
	}
}

// TestRestoredDirectoryIsFoundOut: all of the data directory is an older one,
// keys and what was signed included. The ledger cannot know; whoever verified
// the log before does, at once and when it has grown another way.
func TestRestoredDirectoryIsFoundOut(t *testing.T) {
	t.Parallel()
	dir, backup, memory := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "seen")
	verdict := func(dir string) string {
		out, err := cli(t, nil, "verify", "log", dir, "--app", "smartkey", "--memory", memory)
		if err == nil {
			return out
		}
		if code := exit.Code(context.Background(), err); code != exit.CodeNotAuthentic || strings.Count(out, "— consentledger.internal/") != 2 {
			t.Errorf("exit code %d, and told:\n%s", code, out)
		}
		return err.Error()
	}
	tellThree(t, dir)
	if out, err := cli(t, nil, "verify", "log", "--data", dir, "--app", "smartkey", "--vault", "--forget"); err != nil || !strings.Contains(out, "3 persons found by their outside id") {
		t.Errorf("with the vault: %s, %v", out, err)
	}
	copyDir(t, dir, backup)
	if got := verdict(dir); !strings.HasPrefix(got, "authentic: ") {
		t.Error(got)
	}
	tellThree(t, dir, "dee", "ed")
	if got := verdict(dir); !strings.Contains(got, "consistent with 1 checkpoints seen before") {
		t.Error(got)
	}
	if got := verdict(backup); !strings.Contains(got, "the log was rolled back") {
		t.Error(got)
	}
	tellThree(t, backup, "eve", "fay")
	if got := verdict(backup); !strings.Contains(got, "the log was forked") {
		t.Error(got)
	}
	tellThree(t, backup, "gus")
	if got := verdict(backup); !strings.Contains(got, "the log was forked") {
		t.Error(got)
	}
	if got := verdict(dir); !strings.Contains(got, "consistent with 2 checkpoints") {
		t.Error(got)
	}
}

func TestProgressTellsRateAndTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		show := progress.To(&out)
		time.Sleep(time.Second)
		show(100, 1000)
		time.Sleep(9 * time.Second)
		show(400, 1000)
		if got := out.String(); got != "400 of 1000 records (40%), 40/s, 15s left\n" {
			t.Errorf("%q", got)
		}
	})
}
