package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"consentledger/api/auth"
	ledgerserver "consentledger/cmd/internal/server"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// A keyring is the keys of a ledger of all kinds that somebody outside holds.
type keyring struct {
	t                                      *testing.T
	admin, officer, good, revoked, subject string
	feed                                   string // the path of a calendar feed
}

// newKeyring makes a ledger in a directory that authenticates, and stops it.
func newKeyring(t *testing.T, dir string) keyring {
	t.Helper()
	g := guardIn(t, dir, withTokens)
	k := keyring{t: t, admin: g.admin, officer: g.keys[auth.Officer].Key, good: g.keys[auth.Writer].Key, subject: g.mint("shop", "ada", "check")}
	gone := g.issue("--role", "app-writer", "--app", "shop", "--days", "30")
	k.revoked = gone.Key
	run := func(key string, args ...string) string {
		t.Helper()
		out, err := g.as(key, args...)
		if err != nil {
			t.Fatal(out, err)
		}
		return out
	}
	run(k.admin, "access", "key", "revoke", gone.ID)
	run(k.officer, "webhook", "add", "--app", "shop", "https://shop.example.com/hook", "--type", "obligation.overdue")
	var feed struct{ Path string }
	if err := json.Unmarshal([]byte(run(k.officer, "report", "feed", "--app", "shop", "-o", "jsonl")), &feed); err != nil || feed.Path == "" {
		t.Fatal(err)
	}
	k.feed = feed.Path
	if err := g.running.stop(); err != nil {
		t.Fatal(err)
	}
	return k
}

var withTokens = ledgerserver.Access{Authenticate: true, Ways: ledgerserver.Ways{Origins: []string{"shop=https://shop.example.com"}}}

// flags let a process authenticate as that of withTokens.
var tokenFlags = []string{"--authenticate", "--allow-origin", "shop=https://shop.example.com"}

// open wants every key to open what it opened before, and none that was revoked to.
func (k keyring) open(r *running) {
	k.t.Helper()
	check := func(name, credential string, want int) {
		k.t.Helper()
		if status, text := sendAs(k.t, http.DefaultClient, credential, "POST", r.http+"/v1/apps/shop/check", `{"subject":"ada","purpose":"mail"}`); (status == 401) != (want == 401) {
			k.t.Errorf("%s: %d %s", name, status, text)
		}
	}
	check("an app's key", k.good, 200)
	check("a subject token", k.subject, 200)
	check("a key that was revoked", k.revoked, 401)
	status, text := sendAs(k.t, http.DefaultClient, k.officer, "GET", r.http+"/v1/apps/shop/webhooks", "")
	if status != 200 || !strings.Contains(text, "https://shop.example.com/hook") {
		k.t.Errorf("a privacy officer lists webhooks: %d %s", status, text)
	}
	resp, err := http.Get(r.http + k.feed)
	if err != nil {
		k.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		k.t.Errorf("the address of a calendar feed: %s", resp.Status)
	}
}

// Keys of all kinds move with a ledger, to where several processes serve it and back,
// however often the migration is killed.
func TestKeysMoveWithALedger(t *testing.T) {
	t.Parallel()
	m := movable{t: t, program: build(t), dir: filepath.Join(t.TempDir(), "data")}
	k := newKeyring(t, m.dir)
	m.history = m.replay(home{dir: m.dir})
	pg := pgservertest.Serve(t)
	address := emptyDatabase(t, pg, "keyring")
	dir := t.TempDir()
	one := home{dir: filepath.Join(dir, "one")}
	many := home{dir: filepath.Join(dir, "many"), store: address, vault: address, keys: filepath.Join(dir, "keys")}
	m.copyTo(one.dir)

	// What becomes of each kind is told before.
	dry := append(append([]string{"migrate", "--dry-run", "-o", "jsonl"}, one.flags("from")...), many.flags("to")...)
	said, err := m.execute(os.Environ(), dry...)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"part":"API keys[^"]*","does":"copied"`, `"part":"webhooks, their secrets[^"]*","does":"copied"`,
		`"part":"signing keys[^"]*subject tokens","does":"copied, in another form"`, `"part":"keys of the vault","does":"copied"`,
		`"does":"made anew","count":\d+,"note":"derived from the log`,
	} {
		if !regexp.MustCompile(want).MatchString(said) {
			t.Errorf("the dry run does not say %s:\n%s", want, said)
		}
	}

	// There and back again as long as nothing was recorded there.
	migrate := append(append([]string{"migrate"}, one.flags("from")...), many.flags("to")...)
	undo := append(append([]string{"migrate", "--undo"}, one.flags("from")...), many.flags("to")...)
	m.killUntilDone(one, many)
	if _, err := m.execute(os.Environ(), undo...); err != nil {
		t.Fatal(err)
	}
	if m.opens(many) || !m.opens(one) {
		t.Fatal("after --undo not the source alone can be opened")
	}
	r := startWith(t, ledgerserver.Config{Data: one.dir, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Access: withTokens})
	k.open(r)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	m.history = m.replay(one)
	if _, err := m.execute(os.Environ(), migrate...); err != nil {
		t.Fatal(err)
	}

	road, err := ledgerserver.StartNATS(t.TempDir(), "127.0.0.1:0", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { road.Shutdown(); road.WaitForShutdown() })
	var served []*child
	for i, data := range []string{many.dir, filepath.Join(dir, "second")} {
		c := launchWith(t, m.program, append([]string{"serve", "--data", data, "--http", "127.0.0.1:0", "--process", fmt.Sprint("ledger-", i),
			"--store", many.store, "--vault", many.vault, "--vault-keys", many.keys, "--nats", road.ClientURL()}, tokenFlags...)...)
		k.open(&c.running)
		served = append(served, c)
	}

	// Once a key was revoked there, the source would let it in again.
	g := &guarded{T: t, running: &served[0].running, admin: k.admin}
	late := g.issue("--role", "app-writer", "--app", "shop", "--days", "30")
	if out, err := g.as(k.admin, "access", "key", "revoke", late.ID); err != nil {
		t.Fatal(out, err)
	}
	k.revoked = late.Key // from now on
	for _, c := range served {
		c.stop(t)
	}
	if out, err := m.execute(os.Environ(), undo...); err == nil || !strings.Contains(err.Error(), "gone on") {
		t.Errorf("taken back after a key was revoked: %s, %v", out, err)
	}

	back := home{dir: filepath.Join(dir, "back")}
	m.history = m.replay(many)
	m.killUntilDone(many, back)
	r = startWith(t, ledgerserver.Config{Data: back.dir, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Access: withTokens})
	k.open(r)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	was, err := ledgerserver.OwnTokenKey(one.dir)
	must(t, err)
	if is, err := ledgerserver.OwnTokenKey(back.dir); err != nil || string(is) != string(was) {
		t.Errorf("the key of subject tokens is not as it was: %v", err)
	}
}

// What was ended in the target by a new key is not opened again by taking the ledger back.
func TestAKeyThatWasMadeAnewIsNotTakenBack(t *testing.T) {
	t.Parallel()
	m := movable{t: t, program: build(t), dir: filepath.Join(t.TempDir(), "data")}
	newKeyring(t, m.dir)
	to := filepath.Join(t.TempDir(), "to")
	flags := []string{"--from", m.dir, "--to", to}
	if _, err := m.execute(os.Environ(), append([]string{"migrate"}, flags...)...); err != nil {
		t.Fatal(err)
	}
	must(t, os.Remove(filepath.Join(to, ledgerserver.TokenKeyFile)))
	_, err := m.execute(os.Environ(), append([]string{"migrate", "--undo"}, flags...)...)
	if err == nil || !strings.Contains(err.Error(), "subject tokens was made anew") {
		t.Errorf("taken back although the key of subject tokens is another: %v", err)
	}
}
