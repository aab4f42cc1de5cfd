package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/api/audit/upload"
	"consentledger/api/auth"
)

// TestAFileIsVerifiedByUpload as the verb verifies it: a receipt and a bundle of this
// ledger are authentic, and of one in which a byte changed it says what is wrong.
func TestAFileIsVerifiedByUpload(t *testing.T) {
	t.Parallel()
	g := guard(t)
	officer, viewer := g.keys[auth.Officer].Key, g.keys[auth.Viewer].Key
	if out, err := g.as(officer, "policy", "publish", "--app", "shop", "smartkey/policy.yaml"); err != nil {
		t.Fatal(out, err)
	}
	if out, err := g.as(officer, "surface", "publish", "--app", "shop", writeScreen(t, t.TempDir())); err != nil {
		t.Fatal(out, err)
	}
	code, text := g.ask(g.keys[auth.Writer].Key, "POST", "/v1/apps/shop/events",
		`{"specversion":"1.0","id":"1","source":"test","type":"consent.withdrawn","subject":"ada","data":{"all":true}}`)
	var recorded struct {
		EventID string `json:"event_id"`
	}
	if err := json.Unmarshal([]byte(text), &recorded); code != 200 || err != nil {
		t.Fatal(code, text, err)
	}
	fetched := func(path, asked string) (body string) {
		t.Helper()
		eventually(t, "200", func() string {
			var code int
			code, body = g.ask(officer, "POST", path, asked)
			return fmt.Sprint(code)
		})
		return body
	}
	send := func(key, file string) (a upload.Answer, status int) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", g.running.http+"/v1/apps/shop/verify", strings.NewReader(`{"file":"`+base64.StdEncoding.EncodeToString([]byte(file))+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode == 200 {
			if err := json.Unmarshal(text, &a); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		return a, answer.StatusCode
	}

	receipt := fetched("/v1/apps/shop/receipts", `{"event":"`+recorded.EventID+`","reason":"audit"}`)
	bundle := fetched("/v1/apps/shop/export", `{"reason":"audit"}`)
	if a, _ := send(viewer, receipt); a.Kind != "receipt" || !a.Authentic || len(a.Points) < 4 || a.Points[1].Point != "record" || a.Points[2].Point != "withdrawn" {
		t.Errorf("%+v", a)
	}
	a, _ := send(viewer, bundle)
	if a.Kind != "bundle" || !a.Authentic || len(a.Points) != 6 || len(a.Pictures) != 1 || a.Pictures[0].Screen != "welcome" || a.Pictures[0].Width != 300 {
		t.Errorf("%+v", a)
	}
	file := filepath.Join(t.TempDir(), "shop.zip")
	if err := os.WriteFile(file, []byte(bundle), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := cli(t, nil, "verify", "bundle", file, "--key", a.Key); err != nil || !strings.Contains(out, "(image/png, 300 x 200): the screen welcome of build 5.3 in en, which record ") {
		t.Errorf("%s %v", out, err)
	}
	if a, _ := send(viewer, strings.Replace(receipt, "withdrawn", "WITHDRAWN", 1)); a.Kind != "receipt" || a.Why != "changed" || a.Authentic || a.Wrong == "" || len(a.Points) > 0 {
		t.Errorf("%+v", a)
	}
	if _, status := send(viewer, strings.Repeat("x", upload.Max+1)); status != http.StatusBadRequest {
		t.Errorf("a file that is larger than it may be: %d", status)
	}
	if _, status := send(viewer, strings.Repeat("x", upload.Max+1<<12)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a file that is too large: %d", status)
	}
	if _, status := send(g.keys[auth.Support].Key, receipt); status != http.StatusForbidden {
		t.Errorf("a support agent: %d", status)
	}
}
