package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/api/auth"

	"github.com/nats-io/nats.go"
)

const publishedScreen = `
schema: surface/1
build: "5.3"
screen: pop-up
signing: "sha256:0a00000000000000000000000000000000000000000000000000000000000000"
policy: privacy
version: "%s"
approver: officer
locales:
  - {locale: en, text: "sha256:40529c2085aed8cc8bba5ce6c83994a217ed98daf51490f12fa8afce3cf3366d", screenshot: "sha256:0900000000000000000000000000000000000000000000000000000000000000", strings: {ok: Agree, out: Do not agree}}
controls:
  - {id: ok, label: ok, act: agree, purposes: [ads, offers], initial: button}
  - {id: out, label: out, refuses: true, initial: button}
`

// TestWhoPublishesAScreenRecordsNoConsentsOnItOverWhateverRoad: nobody is officer and writer
// of an app at once, so they are the same principal later, with another key.
func TestWhoPublishesAScreenRecordsNoConsentsOnItOverWhateverRoad(t *testing.T) {
	t.Parallel()
	g := guard(t)
	do := func(key auth.KeyAnswer, args ...string) string {
		t.Helper()
		out, err := g.as(key.Key, args...)
		if err != nil {
			t.Fatalf("%v: %s %v", args, out, err)
		}
		return out
	}
	officer := g.issue("--role", "privacy-officer", "--app", "shop")
	version := field(t, do(officer, "policy", "publish", "--app", "shop", "testdata/shop/policy.yaml", "-o", "jsonl"), "version")
	screen := filepath.Join(t.TempDir(), "screen.yaml")
	if err := os.WriteFile(screen, fmt.Appendf(nil, publishedScreen, version), 0o600); err != nil {
		t.Fatal(err)
	}
	surface := field(t, do(officer, "surface", "publish", "--app", "shop", screen, "-o", "jsonl"), "id")
	do(auth.KeyAnswer{Key: g.admin}, "access", "key", "revoke", officer.ID)

	publisher := g.issue("--principal", officer.Principal, "--role", "app-writer", "--app", "shop")
	other := g.keys[auth.Writer]
	seen := field(t, do(other, "record", "--app", "shop", "--type", "notice.presented", "--subject", "fay", "--data", `{"surface":"`+surface+`","locale":"en"}`, "-o", "jsonl"), "event_id")
	give := func(id string) string {
		return `{"specversion":"1.0","id":"` + id + `","source":"test","type":"consent.given","subject":"fay","data":{"notice":"` + seen + `","control":"ok"}}`
	}

	token := g.mintBy(publisher.Key, "shop", "fay", "record")
	for road, of := range map[string]struct{ key, path, body string }{
		"HTTP":      {publisher.Key, "events", give("http")},
		"a batch":   {publisher.Key, "events", "[" + give("batch") + "]"},
		"a dry run": {publisher.Key, "events?dry_run", give("dry")},
		"a token":   {token, "events", give("token")},
	} {
		if _, text := g.ask(of.key, "POST", "/v1/apps/shop/"+of.path, of.body); !strings.Contains(text, `"same-principal"`) {
			t.Errorf("by %s: %s", road, text)
		}
	}
	bulk, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.running.http+"/v1/apps/shop/events/bulk", strings.NewReader(give("bulk")+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	bulk.Header = http.Header{"Authorization": {"Bearer " + publisher.Key}, "Content-Type": {"application/x-ndjson"}}
	resp, err := http.DefaultClient.Do(bulk)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), `"same-principal"`) {
		t.Errorf("by bulk: %s %v", text, err)
	}

	m, err := g.connect(publisher).RequestMsg(&nats.Msg{Subject: "consent.v1.shop.record", Data: []byte(give("nats")),
		Header: nats.Header{"Authorization": {"Bearer " + publisher.Key}}}, patience)
	if err != nil || !strings.Contains(string(m.Data), `"same-principal"`) {
		t.Errorf("by NATS: %+v %v", m, err)
	}

	// An opt-out is taken from everybody, and a consent from who did not publish the screen.
	if status, text := g.ask(publisher.Key, "POST", "/v1/apps/shop/events", fmt.Sprintf(withdrawal, "no")); status != 200 {
		t.Errorf("an opt-out: %d %s", status, text)
	}
	if status, text := g.ask(other.Key, "POST", "/v1/apps/shop/events", give("other")); status != 200 {
		t.Errorf("by another principal: %d %s", status, text)
	}
}
