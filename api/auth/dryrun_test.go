package auth

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"consentledger/api/wire"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"

	"github.com/go-json-experiment/json"
)

// Each command about keys is foretold: the dry run keeps nothing and shows no key, and the
// command then does what was said.
func TestADryRunOfKeysKeepsNothing(t *testing.T) {
	b := newBench(t)
	store := new(memory.Store)
	b.rows, b.apps = new(memory.Rows), nil
	v, err := vault.Open(t.Context(), b.rows, vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	c := ledger.Config{Store: store, Vault: v, Now: b.now, Blobs: blobs.New(b.rows)}
	if b.ledger, err = ledger.Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	b.register("shop")
	b.Keys = b.process()
	b.Keys.Rehearse = b.ledger.Rehearse
	h := Handler(b.Keys, slog.New(slog.DiscardHandler))

	kept := func() (all []string) {
		for row, err := range b.rows.Scan(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, hex.EncodeToString(row.Key)+" "+hex.EncodeToString(row.Value))
		}
		return all
	}
	head := func() eventstore.Position {
		at, err := store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	ask := func(path, body string) (int, string) {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	chance := regexp.MustCompile(`"(id|principal|key)":"[^"]*",?`)

	foretold := func(path, body string) string {
		t.Helper()
		before, ended := kept(), head()
		foreseen, told := ask(path+"?dry_run", body)
		if !slices.Equal(kept(), before) || head() != ended {
			t.Fatalf("%s: a dry run kept something", path)
		}
		status, answer := ask(path, body)
		if status != foreseen || status != 200 && answer != told {
			t.Fatalf("%s %s: foretold is %d %s, answered %d %s", path, body, foreseen, told, status, answer)
		}
		if status != 200 {
			return answer
		}

		var dry wire.DryRun
		if err := json.Unmarshal([]byte(told), &dry); err != nil || !dry.DryRun {
			t.Fatalf("%s: %s, %v", path, told, err)
		}
		if n := int(head() - ended); n != len(dry.Records) {
			t.Errorf("%s: %d records are foretold, and %d were made: %s", path, len(dry.Records), n, told)
		}
		if strings.Contains(told, "clk_") {
			t.Errorf("%s: a key is shown that lets nobody in: %s", path, told)
		}
		one, other := chance.ReplaceAllString(string(dry.Answer), ""), chance.ReplaceAllString(answer, "")
		if one != other {
			t.Errorf("%s: foretold is %s, answered %s", path, one, other)
		}
		return answer
	}

	foretold("/v1/access/keys", `{"name":"shop","roles":["nosuch"],"apps":["shop"],"days":9}`)
	var key KeyAnswer
	issued := foretold("/v1/access/keys", `{"name":"shop","roles":["app-writer"],"apps":["shop"],"days":9}`)
	if err := json.Unmarshal([]byte(issued), &key); err != nil || key.Key == "" {
		t.Fatal(issued)
	}
	one := "/v1/access/keys/" + key.ID
	foretold(one+"/rotate", `{"overlap_hours":1}`)
	foretold(one+"/rotate", `{"overlap_hours":1}`) // another took its place
	foretold(one+"/revoke", "")
	foretold(one+"/revoke", "") // nothing new
	foretold("/v1/access/keys/nosuch/revoke", "")

	forget := fmt.Sprintf("/v1/access/principals/%s/erase", key.Principal)
	foretold(forget, "") // its other key is good
	list, err := b.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		foretold("/v1/access/keys/"+l.ID+"/revoke", "")
	}
	foretold(forget, "")
}
