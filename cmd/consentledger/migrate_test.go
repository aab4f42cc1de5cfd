package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/api/wire"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/migrate"
	ledgerserver "consentledger/cmd/internal/server"
	"consentledger/domain/rounds"
	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/eventstore/vault"
)

// A movable is a data directory with some history, as a server left it: of two apps, with
// a child and its guardian, and somebody who was erased.
type movable struct {
	t       *testing.T
	program string
	dir     string // the original: it is copied
	history string
	key     string   // the file with the key of smartkey's log
	said    []string // what the server answered
	erased  string   // a moment before person-9 was erased
}

const (
	saysYes       = `{"act":"agree-popup","locale":"en"}`
	saysNo        = `{"all":true}`
	guardianProof = `"proof":{"document":"sha256:40529c2085aed8cc8bba5ce6c83994a217ed98daf51490f12fa8afce3cf3366d","method":"id-card","checked_by":"desk"}`
)

func newMovable(t *testing.T) movable {
	m := movable{t: t, program: build(t), dir: filepath.Join(t.TempDir(), "data")}
	r := startWith(t, ledgerserver.Config{Data: m.dir, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0"})
	furnish(t, r)
	for i := range 40 {
		kind, data := "consent.given", saysYes
		if i%4 == 3 {
			kind, data = "consent.withdrawn", saysNo
		}
		m.run(r, "record", "--app", "smartkey", "--type", kind, "--subject", fmt.Sprintf("person-%d", i/4), "--data", data)
	}
	m.run(r, "app", "add", "shop", "--handler", "Shop Ltd")
	m.run(r, "policy", "publish", "--app", "shop", "testdata/shop/policy.yaml")
	for _, said := range [][2]string{
		{"age.recorded", `{"band":"under-14","basis":"declared"}`},
		{"guardian.verified", `{"guardian":"parent-1",` + guardianProof + `,"identity":"the mother"}`},
		{"consent.given", `{"act":"guardian-written","guardian":"parent-1","purposes":["ads"],` + guardianProof + `}`},
	} {
		m.run(r, "record", "--app", "shop", "--type", said[0], "--subject", "kid", "--data", said[1])
	}
	m.erased = time.Now().UTC().Format(time.RFC3339Nano)
	m.run(r, "subject", "erase", "--app", "smartkey", "--subject", "person-9", "--reason", "subject-request", "--by", "officer", "--by", "second")

	m.run(r, "record", "--app", "smartkey", "--id", "once", "--type", "consent.given", "--subject", "ada", "--data", saysYes, "--wait-sealed")
	m.key = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(m.key, []byte(m.run(nil, "log", "show-key", "--data", m.dir, "--app", "smartkey")), 0o600); err != nil {
		t.Fatal(err)
	}
	m.said = m.answers(r)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for name, text := range shelved {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(m.dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.history = m.replay(home{dir: m.dir})
	if strings.Count(m.history, "\n") < 40 {
		t.Fatal(m.history)
	}
	return m
}

// shelved is what witnesses and an authority are taken to have signed: it is copied, and
// nobody reads it.
var shelved = map[string]string{
	"log/witness/smartkey.cosigned":       "what a witness said\n",
	"log/timestamp/smartkey-3.checkpoint": "what was stamped\n",
	"log/timestamp/smartkey-3.tsr":        "a stamp\n",
}

func (m movable) run(r *running, args ...string) string {
	m.t.Helper()
	out, err := cli(m.t, r, args...)
	if err != nil {
		m.t.Fatalf("%v: %s %v", args, out, err)
	}
	return out
}

// answers asks a server what it has to answer wherever the ledger is: how persons
// stand, the receipt of a request that is sent once more, and whether a proof holds.
func (m movable) answers(r *running) (all []string) {
	m.t.Helper()
	for _, who := range []string{"ada", "person-0", "person-9", "nobody"} {
		all = append(all, who+": "+may(m.t, r, who, "personalisation"))
	}
	all = append(all,
		m.run(r, "state", "--app", "smartkey", "--subject", "person-3", "-o", "jsonl"),
		m.run(r, "state", "--app", "shop", "--subject", "kid", "-o", "jsonl"),
		m.run(r, "check", "--app", "shop", "--subject", "kid", "--purpose", "ads", "-o", "jsonl"))

	receipt := m.run(r, "record", "--app", "smartkey", "--id", "once", "--type", "consent.given", "--subject", "ada", "--data", saysYes, "-o", "jsonl")
	var of struct {
		ID string `json:"event_id"`
	}
	if err := json.Unmarshal([]byte(receipt), &of); err != nil {
		m.t.Fatal(err)
	}
	held := filepath.Join(m.t.TempDir(), "proof")
	proves := ""
	eventually(m.t, "<nil>", func() string { // a process that has just started computes the tree
		var err error
		proves, err = cli(m.t, r, "log", "fetch-proof", "--app", "smartkey", "--event", of.ID)
		return fmt.Sprint(err)
	})
	if err := os.WriteFile(held, []byte(proves), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.run(nil, "verify", "proof", held, "--key", m.key)
	index, _, _ := strings.Cut(proves[strings.Index(proves, "index "):], "\n")
	for i, answer := range all {
		all[i] = asked.ReplaceAllString(answer, "")
	}
	return append(all, receipt, index)
}

// asked is when something was asked, in an answer.
var asked = regexp.MustCompile(`,"valid_at":"[^"]*"`)

// A home is where a ledger is: a directory, and the servers that hold the rest.
type home struct{ dir, store, vault, keys string }

// environ lets a program find the servers.
func (p home) environ() []string {
	return append(os.Environ(), ledgerserver.StoreVariable+"="+p.store, ledgerserver.VaultVariable+"="+p.vault, ledgerserver.KeysVariable+"="+p.keys)
}

// flags name it on a side of migrate: from or to.
func (p home) flags(side string) []string {
	args := []string{"--" + side, p.dir}
	for name, value := range map[string]string{"store": p.store, "vault": p.vault, "vault-keys": p.keys} {
		if value != "" {
			args = append(args, "--"+side+"-"+name, value)
		}
	}
	return args
}

// execute runs the program on its own.
func (m movable) execute(env []string, args ...string) (string, error) {
	var out, trouble bytes.Buffer
	cmd := exec.Command(m.program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &trouble
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%v: %w\n%s", args, err, &trouble)
	}
	return out.String(), nil
}

// replay returns the history that a home has.
func (m movable) replay(p home) string {
	m.t.Helper()
	out, err := m.execute(p.environ(), "replay", "--data", p.dir, "-o", "jsonl")
	if err != nil {
		m.t.Fatal(err)
	}
	return out
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
		return ledgerserver.CopyFile(filepath.Join(to, name), path)
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// A migration may be killed at any moment, again and again: run once more it goes on,
// and in the end the target has the whole history. At no moment can both be opened.
func TestAKilledMigrationGoesOn(t *testing.T) {
	t.Parallel()
	m := newMovable(t)
	server := pgservertest.Serve(t)
	migrations := rounds.Of(t, 2)
	for round := range migrations {
		dir := t.TempDir()
		from, to := home{dir: filepath.Join(dir, "from")}, home{dir: filepath.Join(dir, "to")}
		if round%2 == 1 {
			to.store = emptyDatabase(t, server, fmt.Sprintf("killed%d", round))
		}
		m.copyTo(from.dir)
		m.killUntilDone(from, to)
	}
	t.Run("several processes serve it, and one again", func(t *testing.T) {
		m.t = t
		m.toManyAndBack(server)
	})
	t.Run("several processes serve it, with other positions", func(t *testing.T) {
		m.t = t
		m.toManyElsewhere(server)
	})
}

// emptyDatabase makes a database of a server.
func emptyDatabase(t *testing.T, server *pgserver.Server, name string) string {
	t.Helper()
	if _, err := server.SQL(t.Context(), "postgres", "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return server.Address(name)
}

// opens reports whether a process may serve what is at a home, with its directory or
// with one of its own.
func (m movable) opens(p home) bool {
	m.t.Helper()
	_, away, err := ledgerserver.ReadFormat(p.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatal(err)
	}
	if p.vault == "" {
		return err == nil && away.ID == ""
	}
	at, err := postgres.ParseAddress(p.vault)
	if err != nil {
		m.t.Fatal(err)
	}
	rows, err := postgres.OpenRows(at, postgres.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	defer rows.Close()
	used, err := vault.Used(m.t.Context(), rows)
	if err != nil {
		m.t.Fatal(err)
	}
	return used && ledgerserver.CheckMoved(m.t.Context(), rows) == nil
}

func (m movable) killUntilDone(from, to home) {
	t := m.t
	t.Helper()
	args := append(append([]string{"migrate"}, from.flags("from")...), to.flags("to")...)
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
		if code := cmd.ProcessState.ExitCode(); err != nil && code >= 0 && code != exit.CodeConflict {
			t.Fatalf("migrate after %d kills: %v\n%s", kills, err, &out)
		}

		moved := m.opens(to)
		if moved && m.opens(from) {
			t.Fatal("both can be opened")
		}
		if moved {
			break
		}
		kills++
	}
	t.Logf("killed %d times", kills)
	if got := m.replay(to); got != m.history {
		t.Fatalf("after %d kills the target has\n%s\nwant\n%s", kills, got, m.history)
	}
	if out, err := m.execute(from.environ(), "replay", "--data", from.dir); err == nil {
		t.Errorf("what was moved can be opened: %s", out)
	}
}

// verify verifies the log and every person's parts, where a server has computed the
// tiles and stopped.
func (m movable) verify(at home) {
	m.t.Helper()
	if _, err := m.execute(at.environ(), "verify", "log", "--data", at.dir, "--app", "smartkey", "--vault", "--forget"); err != nil {
		m.t.Error(err)
	}
}

// toManyAndBack moves the ledger to where two processes serve it, which answer as one
// did, and back into a directory.
func (m movable) toManyAndBack(server *pgserver.Server) {
	t, dir := m.t, m.t.TempDir()
	address := emptyDatabase(t, server, "many")
	one := home{dir: filepath.Join(dir, "one")}
	many := home{dir: filepath.Join(dir, "many"), store: address, vault: address, keys: filepath.Join(dir, "keys")}
	m.copyTo(one.dir)
	m.killUntilDone(one, many)
	m.everyRowIsOfAKind(many.vault)

	serve := m.manyOf(many)
	first, second := serve(many.dir, "first"), serve(filepath.Join(dir, "second"), "second")
	for _, c := range []*child{first, second} {
		if got := m.answers(&c.running); !slices.Equal(got, m.said) {
			t.Errorf("one of two processes answers\n%q\nwant\n%q", got, m.said)
		}
		if _, got := get(t, c.http+"/v1/status"); got["store"] != "postgres" || got["vault"] != "postgres" || got["views"] != "embedded" {
			t.Errorf("the status says store %v, vault %v, views %v", got["store"], got["vault"], got["views"])
		}
	}
	late := []string{"record", "--app", "smartkey", "--type", "consent.given", "--subject", "person-9", "--time", m.erased, "--data", saysYes}
	if out, err := cli(t, &second.running, late...); err == nil || !strings.Contains(err.Error(), "of-an-earlier-person") {
		t.Errorf("of who was erased before the move something older is taken: %s, %v", out, err)
	}
	m.run(&first.running, "record", "--app", "smartkey", "--type", "consent.withdrawn", "--subject", "ada", "--data", saysNo, "--wait-sealed")
	if got := may(t, &second.running, "ada", "personalisation"); got != "withdrawn" {
		t.Errorf("the other process says of who has withdrawn: %s", got)
	}

	back := home{dir: filepath.Join(dir, "back")}
	first.stop(t)
	dry := append(append([]string{"migrate", "--dry-run"}, many.flags("from")...), back.flags("to")...)
	if _, err := m.execute(os.Environ(), dry...); err == nil || !strings.Contains(err.Error(), "stop all of them") {
		t.Errorf("moved while a process serves it: %v", err)
	}
	second.stop(t)
	m.verify(many)
	m.history = m.replay(many)
	m.killUntilDone(many, back)
	m.sameFiles(one.dir, back.dir)
	if _, err := m.execute(many.environ(), "replay", "--data", filepath.Join(dir, "third")); err == nil {
		t.Error("a process with a new directory opens what was moved")
	}

	r := startWith(t, ledgerserver.Config{Data: back.dir, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0"})
	m.said[0] = "ada: withdrawn"
	if got := m.answers(r); !slices.Equal(got, m.said) {
		t.Errorf("one process answers\n%q\nwant\n%q", got, m.said)
	}
	if _, got := get(t, r.http+"/v1/status"); got["store"] != "embedded" || got["vault"] != "embedded" || got["views"] != "embedded" {
		t.Errorf("the status says store %v, vault %v, views %v", got["store"], got["vault"], got["views"])
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	m.verify(back)
	m.obstaclesAreToldAtOnce(many)
}

// manyOf returns what starts one of several processes, with a directory of its own.
func (m movable) manyOf(many home) func(data, name string) *child {
	m.t.Helper()
	road, err := ledgerserver.StartNATS(m.t.TempDir(), "127.0.0.1:0", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { road.Shutdown(); road.WaitForShutdown() })
	return func(data, name string) *child {
		return launchWith(m.t, m.program, "serve", "--data", data, "--http", "127.0.0.1:0", "--process", name,
			"--store", many.store, "--vault", many.vault, "--vault-keys", many.keys, "--nats", road.ClientURL())
	}
}

// toManyElsewhere moves the ledger to where positions are others. A process with a new
// directory tells those from before from its own as well as the first does.
func (m movable) toManyElsewhere(server *pgserver.Server) {
	t, dir := m.t, m.t.TempDir()
	one := home{dir: filepath.Join(dir, "one")}
	many := home{filepath.Join(dir, "many"), newEventStore(t).url(), emptyDatabase(t, server, "elsewhere"), filepath.Join(dir, "keys")}
	m.copyTo(one.dir)
	if _, err := m.execute(os.Environ(), append(append([]string{"migrate"}, one.flags("from")...), many.flags("to")...)...); err != nil {
		t.Fatal(err)
	}

	var before, first wire.Receipt
	if err := json.Unmarshal([]byte(m.said[len(m.said)-2]), &before); err != nil {
		t.Fatal(err)
	}
	serve := m.manyOf(many)
	for i, c := range []*child{serve(many.dir, "first"), serve(filepath.Join(dir, "second"), "second")} {
		said := m.answers(&c.running)
		var receipt wire.Receipt
		if err := json.Unmarshal([]byte(said[len(said)-2]), &receipt); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = receipt
		}
		if receipt != first || receipt.EventID != before.EventID || receipt.Position == before.Position {
			t.Errorf("process %d gives %v, the first %v, and it was %v", i, receipt, first, before)
		}
		if code, _ := get(t, c.http+"/v1/replay?app=smartkey&after="+before.Position); code != http.StatusBadRequest {
			t.Errorf("process %d reads on behind a position of the store before: %d", i, code)
		}
		c.stop(t)
	}
}

// sameFiles wants what is carried between files and rows to be as it was.
func (m movable) sameFiles(was, is string) {
	m.t.Helper()
	names := []string{"keys", "feed.key", "log/origin", "log/smartkey.key", "log/shop.key"}
	for _, name := range slices.Concat(names, slices.Collect(maps.Keys(shelved))) {
		want, err := os.ReadFile(filepath.Join(was, name))
		if err != nil {
			m.t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(is, name))
		if err != nil || !bytes.Equal(got, want) {
			m.t.Errorf("%s is not as it was: %v", name, err)
		}
		if info, err := os.Stat(filepath.Join(is, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			m.t.Errorf("%s is open to others: %v", name, err)
		}
	}
}

// everyRowIsOfAKind wants the same of rows that processes share as of a directory's.
func (m movable) everyRowIsOfAKind(address string) {
	m.t.Helper()
	at, err := postgres.ParseAddress(address)
	if err != nil {
		m.t.Fatal(err)
	}
	rows, err := postgres.OpenRows(at, postgres.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	defer rows.Close()
	wantKinds(m.t, rows, "v/", "b/", "l/", "t/", "f/", "elsewhere/")
}

// obstaclesAreToldAtOnce moves a ledger that cannot be moved for many reasons to where
// another one was: all of them are told by one run, which makes nothing.
func (m movable) obstaclesAreToldAtOnce(to home) {
	t := m.t
	t.Helper()
	from := home{dir: filepath.Join(t.TempDir(), "from")}
	m.copyTo(from.dir)
	d, err := ledgerserver.OpenRecords(from.dir)
	if err != nil {
		t.Fatal(err)
	}
	strange := []eventstore.Row{
		{Key: []byte("x/1"), Value: []byte("of a newer version")},
		{Key: []byte("n/u\x00\x00\x00\x00\x00\x00\x00\x01"), Value: []byte(`{"v":1}`)},
	}
	if err := errors.Join(d.DB.Rows().Write(t.Context(), eventstore.Change{Put: strange}), d.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(from.dir, "log", "smartkey.key")); err != nil {
		t.Fatal(err)
	}
	to.dir, to.keys = t.TempDir(), filepath.Join(t.TempDir(), "other")
	m.run(nil, "keys", "new", to.keys)
	if err := os.WriteFile(filepath.Join(to.dir, "letter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}

	args := append(append([]string{"migrate", "--dry-run"}, from.flags("from")...), to.flags("to")...)
	_, err = m.execute(os.Environ(), args...)
	if err == nil {
		t.Fatal("it is moved")
	}
	for _, want := range []string{
		`it holds "letter"`, "rows that begin with \"x/\"", "smartkey.key is gone", "holds other keys", "1 rejected messages that may be an opt-out",
		"the vault at .* is not empty", "holds the records of another ledger", "7 things stand in the way",
	} {
		if !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
}

// Every row that a ledger keeps is of a kind of which it is known what becomes of it.
func TestEveryRowIsOfAKind(t *testing.T) {
	t.Parallel()
	c := ledgerserver.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Demo: true}
	r := startWith(t, c)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	d, err := ledgerserver.OpenRecords(c.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	wantKinds(t, d.DB.Rows(), "v/", "b/", "l/", "n/", "r/")
	if _, unknown, err := ledgerserver.FilesOf(c.Data); err != nil || len(unknown) > 0 {
		t.Errorf("entries of a data directory that are not known: %q, %v", unknown, err)
	}
	if _, err := migrate.KindOfRow([]byte("x/1")); err == nil {
		t.Error("a row of no known kind is taken")
	}
}

// wantKinds wants rows to be of known kinds, and some to be of each of these.
func wantKinds(t *testing.T, rows eventstore.Rows, want ...string) {
	t.Helper()
	seen := map[string]int{}
	for row, err := range rows.Scan(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		k, err := migrate.KindOfRow(row.Key)
		if err != nil {
			t.Error(err)
		}
		seen[k.Prefix]++
	}
	for _, prefix := range want {
		if seen[prefix] == 0 {
			t.Errorf("no row of kind %s in %v", prefix, seen)
		}
	}
}
