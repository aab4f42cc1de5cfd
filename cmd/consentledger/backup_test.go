package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/wire/wiretest"
	"consentledger/cmd/internal/server"
)

// A backedUp is a shop's ledger that runs, and what its operator keeps elsewhere.
type backedUp struct {
	*running
	dir, away, identity, keys string
}

func backedUpShop(t *testing.T) *backedUp {
	t.Helper()
	b := &backedUp{dir: t.TempDir(), away: t.TempDir()}
	b.running = start(t, b.dir, false)
	b.identity, b.keys = filepath.Join(b.away, "operator.age"), filepath.Join(b.away, "keys")
	b.must(t, "app", "add", "shop", "--handler", "Shop Ltd")
	b.must(t, "policy", "publish", "--app", "shop", "testdata/shop/policy.yaml")
	b.must(t, "backup", "new-identity", b.identity)
	keys, err := os.ReadFile(filepath.Join(b.dir, "keys"))
	if err == nil {
		err = os.WriteFile(b.keys, keys, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *backedUp) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := cli(t, b.running, args...)
	if err != nil {
		t.Fatalf("%s: %v %s", args[0], err, out)
	}
	return out
}

// agree records a grant of a person, and returns an error if it has no receipt.
func (b *backedUp) agree(id, person string) error {
	event := fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"t","type":"consent.given","subject":%q,"data":{"act":"agree","purposes":["ads"],"details":{"screen":"the blue parlour"}}}`, id, person)
	resp, err := http.Post(b.http+"/v1/apps/shop/events", "application/cloudevents+json", bytes.NewReader(event))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s %w", resp.StatusCode, text, err)
	}
	return nil
}

func (b *backedUp) names(n int) (log, vault string) {
	return filepath.Join(b.away, fmt.Sprintf("%d.log", n)), filepath.Join(b.away, fmt.Sprintf("%d.vault", n))
}

// backup makes backup number n.
func (b *backedUp) backup(t *testing.T, n int) {
	t.Helper()
	log, vault := b.names(n)
	b.must(t, "backup", "--log", log, "--vault", vault, "--recipients-file", b.identity+".pub")
}

// restore returns the arguments that restore backup number n.
func (b *backedUp) restore(n int, to string, more ...string) []string {
	log, vault := b.names(n)
	return append([]string{"restore", "--log", log, "--vault", vault, "--identity", b.identity, "--vault-keys", b.keys, "--to", to}, more...)
}

// Backups that are made while many record and somebody is erased are each of one moment:
// all of it verifies, commitments included. Nothing stays behind in the data directory.
func TestBackupsUnderLoad(t *testing.T) {
	t.Parallel()
	b := backedUpShop(t)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var recorded atomic.Int64
	failed := make(chan error, 4)
	for w := range 4 {
		load.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := b.agree(fmt.Sprintf("%d-%d", w, i), fmt.Sprintf("buyer-%d-%d", w, i%50)); err != nil {
					failed <- err
					return
				}
				recorded.Add(1)
			}
		})
	}

	for n := range 3 {
		before := recorded.Load()
		eventually(t, "true", func() string { return fmt.Sprint(recorded.Load() > before+100 || len(failed) > 0) })
		if n == 1 {
			b.must(t, "subject", "erase", "--app", "shop", "--subject", "buyer-0-1", "--reason", "subject-request", "--by", "officer", "--by", "second")
		}
		b.backup(t, n)
	}
	stop()
	load.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}

	for n := range 3 {
		out := b.must(t, b.restore(n, filepath.Join(t.TempDir(), "drill"), "--drill", "-o", "jsonl")...)
		if !wiretest.Holds(out, `"part":"commitments that sealed parts keep"`) {
			t.Errorf("backup %d: %s", n, out)
		}
	}
	left, err := filepath.Glob(filepath.Join(b.dir, "backup-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left in the data directory, %v", left, err)
	}
	parts, err := filepath.Glob(filepath.Join(b.away, ".*part*"))
	if err != nil || len(parts) > 0 {
		t.Errorf("%v is left among the backups, %v", parts, err)
	}
}

// A restore that is killed anywhere leaves a directory that nothing opens, or one that is
// whole; and the next restore makes it whole.
func TestARestoreThatIsKilled(t *testing.T) {
	t.Parallel()
	b := backedUpShop(t)
	for i := range 200 {
		if err := b.agree(fmt.Sprint(i), fmt.Sprintf("buyer-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	b.backup(t, 0)
	program, to := build(t), filepath.Join(t.TempDir(), "drill")
	restore := b.restore(0, to, "--drill")

	killed := 0
	for part := range 8 { // each dies a little later than the one before
		if err := os.RemoveAll(to); err != nil {
			t.Fatal(err)
		}
		c := exec.Command(program, restore...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		eventually(t, "true", func() string {
			_, err := os.Stat(filepath.Join(to, "LOCK"))
			return fmt.Sprint(err == nil)
		})
		time.Sleep(time.Duration(part) * 10 * time.Millisecond)
		c.Process.Kill()
		if <-ended != nil {
			killed++
		}

		_, err := os.Stat(filepath.Join(to, "FORMAT"))
		out, opening := cli(t, nil, "replay", "--data", to, "--app", "shop", "-o", "jsonl")
		if whole := err == nil; whole != (opening == nil) || whole && strings.Count(out, "consent.given") != 200 {
			t.Errorf("killed at %d: whole %t, and to open it says %v", part, whole, opening)
		}
		if errors.Is(err, os.ErrNotExist) && opening != nil && !strings.Contains(opening.Error(), "interrupted restore") &&
			!strings.Contains(opening.Error(), "no FORMAT file") { // it had not begun
			t.Errorf("killed at %d: %v", part, opening)
		}
	}
	if killed == 0 {
		t.Error("no restore was killed: the test tests nothing")
	}
	if err := os.Remove(filepath.Join(to, "FORMAT")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, server.RestoreFile), []byte(server.RestoreHeader), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := cli(t, nil, restore...); err != nil {
		t.Errorf("%v %s", err, out)
	}
}

// A connection that breaks off leaves neither file.
func TestABackupThatBreaksOff(t *testing.T) {
	t.Parallel()
	b := backedUpShop(t)
	b.backup(t, 0)
	proxy := cutting(t, b.http, 700) // within the first file
	log, vault := b.names(1)
	out, err := cli(t, &running{http: proxy}, "backup", "--log", log, "--vault", vault, "--recipients-file", b.identity+".pub")
	if err == nil || !strings.Contains(err.Error(), "nothing is kept of it") {
		t.Errorf("%v %s", err, out)
	}
	names, err := filepath.Glob(filepath.Join(b.away, "*1.*"))
	more, err2 := filepath.Glob(filepath.Join(b.away, ".*"))
	if err != nil || err2 != nil || len(names)+len(more) > 0 {
		t.Errorf("there is %v %v", names, more)
	}
	eventually(t, "<nil>", func() string { // the next one may, once the server has noticed
		_, err := cli(t, b.running, "backup", "--log", log, "--vault", vault, "--recipients-file", b.identity+".pub")
		return fmt.Sprint(err)
	})
}

// cutting returns the address of a server that hands on what another one answers, and
// breaks off after so many bytes.
func cutting(t *testing.T, to string, after int64) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), r.Method, to+r.URL.Path, r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Content-Type", r.Header.Get("Content-Type"))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		if _, err := io.CopyN(w, resp.Body, after); err != nil {
			t.Error(err)
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
