//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/api/rest"
	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/exit"
	ledgerserver "consentledger/cmd/internal/server"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/eventstore/vault"

	"github.com/jackc/pgx/v5"
)

// A keyFleet is a fleet whose processes have copies of the file of keys of their own.
type keyFleet struct {
	*fleet
	file  string // the file that the copies are made of
	vault string
}

// newKeyFleet starts three processes over one database.
func newKeyFleet(t *testing.T) *keyFleet {
	t.Helper()
	pg := pgservertest.Serve(t)
	db := databaseOf(t, pg, "rotated")
	f := &keyFleet{fleet: newFleet(t, pg, db, db, "", 0), vault: db}
	f.file = filepath.Join(f.dir, "keys")
	f.copies = func(i int) string { return filepath.Join(f.dir, fmt.Sprint("keys-", i)) }
	for i := range 3 {
		f.give(i)
		f.members = append(f.members, f.launch(i))
	}
	return f
}

// give gives a process the file as it is now.
func (f *keyFleet) give(i int) { f.giveFrom(i, f.file) }

func (f *keyFleet) giveFrom(i int, file string) {
	f.t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(f.copies(i)+".next", text, 0o600)
	}
	if err == nil {
		err = os.Rename(f.copies(i)+".next", f.copies(i))
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// keys runs a verb of the keys at a process.
func (f *keyFleet) keys(i int, verb string) (ledgerserver.KeysReport, error) {
	path, method := "/v1/vault/keys", http.MethodGet
	if verb != "" {
		path, method = path+"/"+verb, http.MethodPost
	}
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.member(i).http+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return ledgerserver.KeysReport{}, err
	}
	defer resp.Body.Close()
	var answer struct {
		ledgerserver.KeysReport
		Detail string
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return ledgerserver.KeysReport{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return ledgerserver.KeysReport{}, fmt.Errorf("%d %s", resp.StatusCode, answer.Detail)
	}
	return answer.KeysReport, nil
}

// refused waits until a rotation at a process is refused with some words.
func (f *keyFleet) refused(i int, words string) {
	f.t.Helper()
	eventually(f.t, "refused", func() string {
		out, err := cli(f.t, &f.member(i).running, "keys", "rotate")
		switch {
		case err == nil:
			f.t.Fatalf("the keys are rotated: %s", out)
		case exit.Code(f.t.Context(), err) == exit.CodeConflict && strings.Contains(err.Error(), words):
			return "refused"
		}
		return err.Error()
	})
}

// enrol makes persons whom nobody ever asks for, straight in the vault.
func (f *keyFleet) enrol(n int) {
	f.t.Helper()
	at, err := postgres.ParseAddress(f.vault)
	if err != nil {
		f.t.Fatal(err)
	}
	rows, err := postgres.OpenRows(at, postgres.Options{})
	if err != nil {
		f.t.Fatal(err)
	}
	defer rows.Close()
	keys, err := vault.OpenFileKeys(f.file)
	if err != nil {
		f.t.Fatal(err)
	}
	v, err := vault.Open(f.t.Context(), rows, keys)
	if err != nil {
		f.t.Fatal(err)
	}
	var all sync.WaitGroup
	for worker := range 32 {
		all.Go(func() {
			for i := worker; i < n; i += 32 {
				if _, _, err := v.Enrol(f.t.Context(), vault.Lookup{App: "smartkey", Kind: "account", ID: fmt.Sprint("quiet-", i)}); err != nil {
					f.t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// holdUp locks the row of a person in the middle of the vault, so that whoever wraps all keys
// anew gets there and no further, until let go.
func (f *keyFleet) holdUp() (held func() bool, letGo func()) {
	f.t.Helper()
	ctx := f.t.Context()
	c, err := pgx.Connect(ctx, f.vault)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, statement := range []string{
		"BEGIN",
		`SELECT key FROM consentledger_vault.rows_v1 WHERE key = (SELECT key FROM consentledger_vault.rows_v1
			WHERE key >= 'v/e'::bytea AND key < 'v/f'::bytea ORDER BY key OFFSET (SELECT count(*) / 2
			FROM consentledger_vault.rows_v1 WHERE key >= 'v/e'::bytea AND key < 'v/f'::bytea) LIMIT 1) FOR UPDATE`,
	} {
		if _, err := c.Exec(ctx, statement); err != nil {
			f.t.Fatal(err)
		}
	}
	pid := c.PgConn().PID()
	held = func() bool {
		out, err := f.pg.SQL(ctx, "rotated", fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE %d = ANY(pg_blocking_pids(pid))", pid))
		if err != nil {
			f.t.Fatal(err)
		}
		return strings.TrimSpace(out) != "0"
	}
	return held, func() {
		if err := c.Close(context.WithoutCancel(ctx)); err != nil {
			f.t.Error(err)
		}
	}
}

// worker returns which process follows up, and so wraps the keys anew.
func (f *keyFleet) worker() int {
	f.t.Helper()
	found := -1
	eventually(f.t, "found", func() string {
		for i := range f.members {
			resp, err := http.Get(f.member(i).http + "/v1/status")
			if err != nil {
				return err.Error()
			}
			var s rest.StatusReport
			err = json.NewDecoder(resp.Body).Decode(&s)
			resp.Body.Close()
			if err != nil || s.Process == nil {
				return fmt.Sprint(err)
			}
			for _, turn := range s.Process.Turns {
				if turn == "follow-ups" {
					found = i
					return "found"
				}
			}
		}
		return "nobody"
	})
	return found
}

// TestKeysOfAFleetAreRotated: three processes serve while their vault gets new keys. The new
// epoch wraps once all three have it and not before; whoever wraps all keys anew is killed in
// the middle, and another one goes on; a process that is given the old file back refuses, loses
// nothing, and goes on once it has the new one. Meanwhile persons come, agree and withdraw, and
// in the end everything that was acknowledged is there and opens with the new epoch alone.
func TestKeysOfAFleetAreRotated(t *testing.T) {
	t.Parallel() // processes of their own
	f := newKeyFleet(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	prepare(t, f.member(0))
	a, b := newAsker(f.fleet), &book{rng: rand.New(rand.NewPCG(seed, 0))}
	for i := range f.members {
		eventually(t, "never-asked", func() string { return may(t, &f.member(i).running, "somebody", "personalisation") })
	}
	f.enrol(600)
	old := filepath.Join(t.TempDir(), "old")
	if text, err := os.ReadFile(f.file); err != nil || os.WriteFile(old, text, 0o600) != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var count freshness
	var around sync.WaitGroup
	around.Go(func() { f.roads(ctx, b, 200*time.Millisecond) })
	around.Go(func() {
		for n := 0; ctx.Err() == nil && !t.Failed(); n++ {
			err := a.withdrawAndAsk(ctx, b, 0, n, &count)
			if err == nil {
				err = a.meet(ctx, b, n)
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			pauseFor(ctx, 100*time.Millisecond)
		}
	})

	// The file has a new epoch, and one process does not have it yet.
	f.refused(0, "no newer one")
	if out, err := cli(t, nil, "keys", "advance", f.file); err != nil {
		t.Fatal(out, err)
	}
	f.give(0)
	f.give(1)
	f.refused(1, "1 of 3 processes do not have epoch 2 yet: ledger-2")
	f.refused(0, "1 of 3 processes do not have epoch 2 yet: ledger-2")
	if out, err := cli(t, nil, "keys", "retire", "--vault", f.vault, f.file); err == nil || !strings.Contains(err.Error(), "ledger-2") {
		t.Fatalf("an epoch is destroyed that a process needs: %s, %v", out, err)
	}
	k, err := f.keys(0, "")
	if err != nil || k.State != "waiting" || k.Epoch != 1 || k.Wrapped[2] != 0 || len(k.Processes) != 3 {
		t.Fatalf("before all have it: %+v, %v", k, err)
	}

	// All have it. Whoever wraps the keys anew is killed on the way.
	f.give(2)
	held, letGo := f.holdUp()
	eventually(t, "rotated", func() string {
		if _, err := f.keys(2, "rotate"); err != nil {
			return err.Error()
		}
		return "rotated"
	})
	eventually(t, "true", func() string { return fmt.Sprint(held()) })
	k, err = f.keys(1, "")
	if err != nil || k.State != "rewrapping" || k.Epoch != 2 || k.Wrapped[1] == 0 || k.Wrapped[2] < 100 {
		t.Errorf("on the way: %+v, %v", k, err)
	}
	died := f.worker()
	f.member(died).kill(t)
	f.giveFrom(died, old)
	out, err := exec.Command(f.bin, f.arguments(died)...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "epoch 2 is not among them") {
		t.Errorf("with the old file a process starts: %v, %s", err, out)
	}
	f.give(died)
	letGo()
	f.replace(died)
	other := (died + 1) % 3
	for _, i := range []int{other, died} {
		eventually(t, "rewrapped", func() string { return f.state(i) })
	}
	f.refused(other, "epoch 2 wraps all keys already")

	// A process is given the old file back by mistake.
	f.giveFrom(other, old)
	eventually(t, "true", func() string {
		return fmt.Sprint(strings.Contains(verbose(t, &f.member(other).running), "vault: epoch 2 of the keys wraps, and this process does not have it"))
	})
	w := b.wish("consent.given", fmt.Sprint(personPrefix, "late"), demo.Object{"act": "agree-popup", "locale": "en"})
	if status, text, err := a.post(ctx, other, "/v1/apps/smartkey/events", w.body); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("somebody new at a process without the keys: %d %s %v", status, text, err)
	}
	f.give(other)
	eventually(t, "", func() string { return verbose(t, &f.member(other).running) })
	if _, err := a.record(ctx, b, w, other); err != nil {
		t.Error(err)
	}

	// The older epoch is destroyed, and everybody gets that file.
	if out, err := cli(t, nil, "keys", "retire", "--vault", f.vault, f.file); err != nil {
		t.Fatal(out, err)
	}
	for i := range f.members {
		f.give(i)
		eventually(t, "current", func() string { return f.state(i) })
	}
	f.member(0).stop(t)
	f.replace(0)
	stop()
	around.Wait()
	if count.denied.Load() == 0 || count.allowed.Load() == 0 {
		t.Error("nobody recorded or asked meanwhile")
	}

	rejected := f.settle()
	for i := range f.members {
		f.member(i).stop(t)
	}
	b.log(t)
	d, err := ledgerserver.OpenDataDirWith(t.Context(), filepath.Join(f.dir, "ledger-0"), "live", false, f.options)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	checkWishes(t, d, b, rejected)
	if n, err := d.Vault.Whole(t.Context()); n < 600 || err != nil {
		t.Errorf("%d keys open with the new epoch alone: %v", n, err)
	}
	all, err := ledgerserver.ReadKeysOf(t.Context(), d.Rows(), time.Now(), time.Hour)
	if len(all) != 0 || err != nil {
		t.Errorf("of processes that have stopped there is still %v, %v", all, err)
	}
}

// state returns how a process says that the keys are.
func (f *keyFleet) state(i int) string {
	k, err := f.keys(i, "")
	if err != nil {
		return err.Error()
	}
	return k.State
}
