package postgres_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/eventstore/vault"
)

// Seeing keys see every key of the vault in the clear.
type seeingKeys struct {
	vault.Keys
	mu    sync.Mutex
	plain [][]byte
}

func (k *seeingKeys) Wrap(plain, aad []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.plain = append(k.plain, bytes.Clone(plain))
	return k.Keys.Wrap(plain, aad)
}

// marked returns a text that is nowhere else, as somebody's words.
func marked(what string) string {
	b := make([]byte, 24)
	rand.Read(b)
	return what + " " + hex.EncodeToString(b)
}

// forms are how bytes may lie on a disk: as they are, and in base64 wherever they begin.
// Hex is what found looks for itself.
func forms(b []byte) (all [][]byte) {
	all = append(all, b)
	for shift := range 3 { // the digits in the middle depend on where the first byte stands
		text := base64.StdEncoding.EncodeToString(append(make([]byte, shift), b...))
		all = append(all, []byte(text[4:len(text)-4]))
	}
	return all
}

// After an erasure and what docs/postgres.md says to do then, no file of the server holds
// anything of the person: what they said in any form, their sealed parts, or their key.
func TestNoByteOfWhoWasErasedIsInTheServersFiles(t *testing.T) {
	server := pgservertest.Serve(t, "wal_recycle = off", "autovacuum = off")
	r := openRows(t, server.Address("postgres"), postgres.Options{})
	keys := &seeingKeys{Keys: vault.NewMemoryKeys()}
	v, err := vault.Open(t.Context(), r, keys)
	check(t, "open the vault", err)

	var words []string
	lookUp := func(id string) vault.Lookup { return vault.Lookup{App: "shop", Kind: "account", ID: id} }
	say := func(id string, n int) *vault.Person {
		p, _, err := v.Enrol(t.Context(), lookUp(id))
		check(t, "enrol", err)
		for range n {
			word := marked("my words")
			words = append(words, word)
			var event eventstore.EventID
			rand.Read(event[:])
			check(t, "put", v.Put(t.Context(), p, vault.Part{Event: event, Stream: "subject-shop-x", Role: "details", Plain: []byte(word)}))
		}
		return p
	}
	say("living", 20)
	words = nil // of the living
	before := len(keys.plain)
	gone := say("gone", 20)
	data := keys.plain[before:]
	if len(data) == 0 {
		t.Fatal("the person has no key: this test shows nothing")
	}

	// Everything that may give somebody away: words, keys, and every row that names the person.
	var look [][]byte
	for _, word := range words {
		look = append(look, forms([]byte(word))...)
	}
	for _, key := range data {
		look = append(look, forms(key)...)
	}
	sealed := 0
	for row, err := range r.Scan(t.Context(), []byte("v/")) {
		check(t, "scan", err)
		if bytes.Contains(row.Key, gone.Pseudonym[:]) && len(row.Value) > 32 {
			sealed++
			look = append(look, forms(row.Value[len(row.Value)-32:])...)
		}
	}
	if sealed < 21 { // the entry and twenty parts
		t.Fatalf("%d sealed rows of the person: this test shows nothing", sealed)
	}
	if in := found(t, server, look); len(in) == 0 {
		t.Fatal("nothing is found while the person lives: this test shows nothing")
	}
	for _, word := range append(words, string(data[0])) {
		if in := found(t, server, forms([]byte(word))); len(in) > 0 {
			t.Fatalf("words or keys lie in the clear in %q", in)
		}
	}

	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	check(t, "erase", v.Erase(within(t, 2*time.Minute), gone, now, now.Add(time.Hour)))
	for _, name := range found(t, server, look) {
		if !strings.HasPrefix(name, "pg_wal") {
			t.Errorf("after the erasure bytes of the person are in %q", name)
		}
	}
	for range 3 {
		sql(t, server, "SELECT pg_switch_wal(); CHECKPOINT")
	}
	if in := found(t, server, look); len(in) > 0 {
		t.Errorf("after the clean-up bytes of the person are in %q", in)
	}
	if _, known, err := v.Find(t.Context(), lookUp("living")); err != nil || !known {
		t.Errorf("the living are known: %v, %v", known, err)
	}

	// A job deletes many, and has the tables written once.
	other := say("other", 1)
	look = forms(keys.plain[len(keys.plain)-1])
	for row, err := range r.Scan(t.Context(), []byte("v/")) {
		check(t, "scan", err)
		if bytes.Contains(row.Key, other.Pseudonym[:]) && len(row.Value) > 32 {
			look = append(look, forms(row.Value[len(row.Value)-32:])...)
		}
	}
	check(t, "delete", v.Delete(t.Context(), other, now, now.Add(time.Hour)))
	check(t, "purge", v.Purge(within(t, 2*time.Minute), "shop", other.Pseudonym))
	for range 3 {
		sql(t, server, "SELECT pg_switch_wal(); CHECKPOINT")
	}
	if in := found(t, server, look); len(in) > 0 {
		t.Errorf("after a job bytes of a person are in %q", in)
	}
}
