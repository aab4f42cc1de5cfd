package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/vault"

	"github.com/nats-io/nats.go"
)

// traces is what a person leaves in the vault: their wrapped key and their sealed
// texts. It reads a copy of the store, as a crash would leave it now.
func traces(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	return tracesOf(t, dir, map[byte]sealedRow{'e': {"key", 17}, 'p': {"sealed text", 0}, 's': {"sealed fold", 0}})
}

// proofTraces is what is kept of who is erased: the wrapped key of the proof, and the proof.
func proofTraces(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	return tracesOf(t, dir, map[byte]sealedRow{'j': {"key of a proof", 9}, 'q': {"sealed proof", 0}})
}

// A sealedRow is a kind of the vault's rows: what it is called, and behind how many bytes a wrapped
// key begins; zero: it holds none.
type sealedRow struct {
	name string
	skip int
}

func tracesOf(t *testing.T, dir string, kinds map[byte]sealedRow) map[string][]byte {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(dir, "store"))); err != nil {
		t.Fatal(err)
	}
	db, err := embedded.Open(copied, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	keys, err := vault.OpenFileKeys(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return tracesIn(t, db.Rows(), keys, kinds)
}

func tracesIn(t *testing.T, rows eventstore.Rows, keys vault.Keys, kinds map[byte]sealedRow) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for kind, is := range kinds {
		for row, err := range rows.Scan(t.Context(), []byte{'v', '/', kind}) {
			if err != nil {
				t.Fatal(err)
			}
			if is.skip != 0 {
				key, err := keys.Unwrap(row.Value[is.skip:], row.Key)
				if err != nil {
					t.Fatal(err)
				}
				encoded(found, fmt.Sprintf("the %s %d", is.name, len(found)), key)
			}
			// The end is cipher text and its tag: nothing else has these bytes.
			found[fmt.Sprintf("a %s, as it lies there, %d", is.name, len(found))] = bytes.Clone(row.Value[len(row.Value)-24:])
		}
	}
	return found
}

// encoded adds a trace as it is, in hex, and in base64 wherever it begins in a text.
func encoded(to map[string][]byte, name string, trace []byte) {
	to[name] = trace
	to[name+" in hex"] = []byte(hex.EncodeToString(trace))
	for shift, of := range []string{"", "\x00", "\x00\x00"} {
		for form, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			text := enc.EncodeToString(append([]byte(of), trace...))
			first := (8*shift + 5) / 6 // digits that the bytes before have a part in
			to[fmt.Sprintf("%s in %s %d", name, form, shift)] = []byte(text[first : len(text)-1])
		}
	}
}

// remains returns which of the traces lie in which files below dir.
func remains(t *testing.T, dir string, of map[string][]byte) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a table that is needed no more
		}
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for name, trace := range of {
			if bytes.Contains(b, trace) {
				all = append(all, name+" in "+strings.TrimPrefix(path, dir))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestNothingOfWhoWasErasedIsOnDisk: in no file of the data directory, NATS's and
// the projections' included, is a byte of their words, of their id, of what is
// sealed of them or of the key that it is sealed with, wrapped or not, plain, in hex or
// in base64: in the tables at once, in the write-ahead logs when the ledger has started
// again. That a backup was made while they were there leaves nothing, either.
func TestNothingOfWhoWasErasedIsOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, dir, false)
	run := func(args ...string) {
		t.Helper()
		if out, err := cli(t, r, args...); err != nil {
			t.Fatalf("%s: %v %s", args[0], err, out)
		}
	}
	run("app", "add", "shop", "--handler", "Shop Ltd")
	run("policy", "publish", "--app", "shop", "testdata/shop/policy.yaml")
	const person, words = "wilhelmina-1871", "the-blue-parlour"
	comesByEveryEndpoint(t, r, person, words)
	comesOften(t, r, person)
	if err := r.stop(); err != nil { // what is stopped is in tables
		t.Fatal(err)
	}
	r = start(t, dir, false)
	run("record", "--app", "shop", "--type", "consent.given", "--subject", person, "--data", `{"act":"agree","purposes":["ads"],"details":{"screen":"`+words+`"}}`)
	of := traces(t, dir)
	encoded(of, "their id", []byte(person))
	encoded(of, "their words", []byte(words))
	away := t.TempDir()
	run("backup", "new-identity", filepath.Join(away, "id"))
	run("backup", "--log", filepath.Join(away, "log"), "--vault", filepath.Join(away, "vault"), "--recipients-file", filepath.Join(away, "id.pub"))
	before := strings.Join(remains(t, dir, of), " ")
	if !strings.Contains(before, ".sst") || !strings.Contains(before, ".log") || !strings.Contains(before, "a sealed fold,") || len(of) < 29 {
		t.Fatalf("of %d traces there is %s: the test tests nothing", len(of), before)
	}
	run("record", "--app", "shop", "--type", "consent.given", "--subject", "bystander", "--data", `{"act":"agree","purposes":["ads"],"details":{"screen":"the red one"}}`)

	run("subject", "erase", "--app", "shop", "--subject", person, "--reason", "subject-request", "--by", "officer", "--by", "second")
	eventually(t, "[]", func() string {
		left := remains(t, dir, of)
		return fmt.Sprint(slices.DeleteFunc(left, func(where string) bool { return strings.HasSuffix(where, ".log") }))
	})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, dir, false)
	eventually(t, "[]", func() string { return fmt.Sprint(remains(t, dir, of)) })
	out, err := cli(t, r, "export", "--app", "shop", "--subject", "bystander", "--disclose", "--reason", "audit", "--why", "it is still there", "--by", "the test", "--out", filepath.Join(t.TempDir(), "b.zip"))
	if err != nil {
		t.Errorf("the bystander's texts: %v %s", err, out)
	}
}

// TestNothingOfWhoWasErasedIsOnDiskButTheProof: where a duty keeps the proof of what people
// agreed to, all the rest is gone as of anybody, and nothing of the person lies in the clear.
// When the proof is destroyed, it is gone with its key.
func TestNothingOfWhoWasErasedIsOnDiskButTheProof(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, dir, false)
	run := func(args ...string) string {
		t.Helper()
		out, err := cli(t, r, args...)
		if err != nil {
			t.Fatalf("%s: %v %s", args[0], err, out)
		}
		return out
	}
	run("app", "add", "shop", "--handler", "Shop Ltd")
	run("policy", "publish", "--app", "shop", "testdata/shop/policy.yaml")
	run("hold", "declare-duty", "--app", "shop", "--duty", "claims", "--law", "GDPR 17(3)(e)", "--reason", "claims", "--keeps", "proof", "--months", "36")
	const person, words = "wilhelmina-1871", "the-blue-parlour"
	comesByEveryEndpoint(t, r, person, words)
	comesOften(t, r, person)
	again := func() {
		t.Helper()
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		r = start(t, dir, false)
	}
	again()
	of := traces(t, dir)
	encoded(of, "their id", []byte(person))
	encoded(of, "their words", []byte(words))
	if before := remains(t, dir, of); len(before) == 0 || len(of) < 29 {
		t.Fatalf("of %d traces there is %s: the test tests nothing", len(of), before)
	}

	run("subject", "erase", "--app", "shop", "--subject", person, "--reason", "subject-request", "--by", "officer", "--by", "second")
	again()
	eventually(t, "[]", func() string { return fmt.Sprint(remains(t, dir, of)) })
	proof := proofTraces(t, dir)
	if kept := fmt.Sprint(remains(t, dir, proof)); !strings.Contains(kept, "a key of a proof,") || !strings.Contains(kept, "a sealed proof,") {
		t.Fatalf("of the proof there is %s", kept)
	}

	run("kept-proof", "destroy", "--app", "shop", "--subject", person, "--reason", "subject-request", "--by", "officer", "--by", "second")
	eventually(t, "[]", func() string {
		return fmt.Sprint(slices.DeleteFunc(remains(t, dir, proof), func(where string) bool { return strings.HasSuffix(where, ".log") }))
	})
	again()
	maps.Copy(proof, of)
	eventually(t, "[]", func() string { return fmt.Sprint(remains(t, dir, proof)) })
}

// comesOften records so much of a person that there is a snapshot of their history.
func comesOften(t *testing.T, r *running, person string) {
	t.Helper()
	for i := range 70 {
		event := fmt.Appendf(nil, `{"specversion":"1.0","id":"often-%d","source":"t","type":"consent.given","subject":%q,"data":{"act":"agree","purposes":["ads"]}}`, i, person)
		resp, err := http.Post(r.http+"/v1/apps/shop/events", "application/cloudevents+json", bytes.NewReader(event))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	}
}

// comesByEveryEndpoint records a consent of a person by HTTP, by a request over NATS
// and by JetStream, each with their words.
func comesByEveryEndpoint(t *testing.T, r *running, person, words string) {
	t.Helper()
	event := func(id string) []byte {
		return fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"t","type":"consent.given","subject":%q,"data":{"act":"agree","purposes":["ads"],"details":{"screen":%q}}}`, id, person, words)
	}
	resp, err := http.Post(r.http+"/v1/apps/shop/events", "application/cloudevents+json", bytes.NewReader(event("1")))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	nc, err := nats.Connect(r.nats, nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if m, err := nc.Request("consent.v1.shop.record", event("2"), time.Minute); err != nil || m.Header.Get("Nats-Service-Error") != "" {
		t.Fatalf("%v %v", m, err)
	}
	js, err := nc.JetStream(nats.MaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish("consent.v1.shop.in.consent.given", event("3")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "3", func() string {
		out, _ := cli(t, r, "replay", "--app", "shop", "--subject", person, "--type", "consent.given")
		return fmt.Sprint(strings.Count(out, "\n"))
	})
}
