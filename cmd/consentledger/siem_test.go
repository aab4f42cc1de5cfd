package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"consentledger/api/auth"
	"consentledger/api/siem"
	"consentledger/api/wire/wiretest"
	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/server"
	"consentledger/domain"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
)

// A siemEvent is what tests look at of an event of OCSF.
type siemEvent struct {
	ClassUID   int    `json:"class_uid"`
	StatusCode string `json:"status_code"`
	Count      int
	Metadata   struct {
		UID       string `json:"uid"`
		EventCode string `json:"event_code"`
		TenantUID string `json:"tenant_uid"`
	}
	Actor    struct{ User struct{ UID string } }
	User     struct{ UID string }
	API      struct{ Operation string }
	Unmapped struct{ Cursor, Way, Route string }
}

func siemEvents(t *testing.T, text string) (events []siemEvent) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e siemEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		events = append(events, e)
	}
	return events
}

// saidOf returns every text that the records of a directory hold of persons, opened, and
// the ids that apps have for them.
func saidOf(t *testing.T, dir string) []string {
	t.Helper()
	d, err := server.OpenDataDir(t.Context(), dir, "demo", false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	opened, err := d.Ledger.Access(t.Context(), ledger.Access{
		App: demo.App, ID: "test", Actor: "operator", RecordedBy: "test",
		DataAccessed: domain.DataAccessed{Kind: domain.AccessExport, Reason: "audit", Parts: 1 << 20, Words: "test", Name: "test"},
	})
	if err != nil {
		t.Fatal(err)
	}

	var texts []string
	for e, err := range d.Ledger.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		parts, err := opened.Disclose(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			for _, text := range leaves(p.Text.Reveal()) {
				if text != p.Ref { // the pseudonym, to which a part ties the id of an app
					texts = append(texts, text)
				}
			}
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// leaves returns the texts in JSON, or a text that is none.
func leaves(text string) []string {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return []string{text}
	}
	return textsIn(v)
}

func textsIn(v any) (texts []string) {
	switch v := v.(type) {
	case string:
		texts = append(texts, v)
	case []any:
		for _, one := range v {
			texts = append(texts, textsIn(one)...)
		}
	case map[string]any:
		for _, one := range v {
			texts = append(texts, textsIn(one)...)
		}
	}
	return texts
}

// Who signs in and who is refused is told: over HTTP, on NATS and in a browser, with what
// they wanted, and without what they showed. A key for one app reads of that app.
func TestWhoIsRefusedIsToldToASIEM(t *testing.T) {
	t.Parallel()
	g := guard(t)
	refused := func(want int, key, method, path string) {
		t.Helper()
		if status, text := g.ask(key, method, path, ""); status != want {
			t.Errorf("%s %s: %d %s", method, path, status, text)
		}
	}
	auditor, reader := g.keys[auth.Auditor], g.keys[auth.AppReader]
	refused(401, "", "GET", "/v1/apps/shop/requests")
	refused(401, "clk_SECRET", "GET", "/v1/apps/shop/requests")
	refused(403, reader.Key, "GET", "/v1/apps/shop/requests")
	refused(404, reader.Key, "GET", "/v1/apps/bank/requests")
	refused(404, reader.Key, "GET", "/v1/apps/13800138000/requests")
	refused(403, reader.Key, "GET", "/v1/siem?app=shop")
	if _, err := nats.Connect(g.nats, nats.Token("clk_SECRET")); err == nil {
		t.Error("NATS lets in who has no key")
	}
	if _, err := g.as(g.admin, "access", "key", "revoke", reader.ID); err != nil {
		t.Fatal(err)
	}
	refused(401, reader.Key, "GET", "/v1/apps/shop/requests")

	send := visitor(t)
	_, _, page := send("GET", g.http+"/ui/sign-in", nil)
	form := formOf(page)
	form.Set("key", "clk_SECRET")
	if status, _, _ := send("POST", g.http+"/ui/sign-in", form); status == http.StatusSeeOther {
		t.Error("a wrong key signs somebody in")
	}
	form.Set("key", auditor.Key)
	status, _, page := send("POST", g.http+"/ui/sign-in", form)
	if status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, page)
	}

	want := []string{
		"3002 sign-in-refused key  by  of unauthenticated",
		"3002 signed-in  key by  of " + auditor.Principal,
		"3002 unauthenticated no-key http by  of unauthenticated",
		"3002 unauthenticated revoked-key http by  of unauthenticated",
		"3002 unauthenticated unknown-key http by  of unauthenticated",
		"3002 unauthenticated unknown-key nats by  of unauthenticated",
		"6003 forbidden role http by " + reader.Principal + " of ",
		"6003 forbidden scope http by " + reader.Principal + " of ",
	}
	text := ""
	eventually(t, strings.Join(want, "\n"), func() string {
		var err error
		if text, err = g.as(g.admin, "siem", "export"); err != nil {
			t.Fatal(err)
		}
		told := map[string]bool{}
		for _, e := range siemEvents(t, text) {
			if strings.HasPrefix(e.Metadata.UID, "trail-") {
				told[fmt.Sprintf("%d %s %s %s by %s of %s", e.ClassUID, e.Metadata.EventCode, e.StatusCode, e.Unmapped.Way, e.Actor.User.UID, e.User.UID)] = true
			}
		}
		got := make([]string, 0, len(told))
		for one := range told {
			got = append(got, one)
		}
		slices.Sort(got)
		return strings.Join(got, "\n")
	})
	for _, secret := range []string{"SECRET", "13800138000", "127.0.0.1", auditor.Key, reader.Key} {
		if strings.Contains(text, secret) {
			t.Errorf("the export holds %s", secret)
		}
	}
	if !wiretest.Holds(text, `"event_code":"key.revoked"`) {
		t.Error("the export does not tell that a key was revoked")
	}

	// Of one app: what is of another, or of none, is not told.
	of, err := g.as(auditor.Key, "siem", "export", "--app", "shop")
	if err != nil {
		t.Fatal(err)
	}
	events := siemEvents(t, of)
	for _, e := range events {
		if e.Metadata.TenantUID != "shop" {
			t.Errorf("%+v", e)
		}
	}
	if !wiretest.Holds(of, `"event_code":"forbidden"`) || len(events) < 5 {
		t.Errorf("%s", of)
	}
	refused(403, auditor.Key, "GET", "/v1/siem")
	refused(403, auditor.Key, "GET", "/v1/siem?app=bank")
}

// A request that the route cannot read is refused with what would be right.
func TestTheRouteForASIEMSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), false)
	for query, want := range map[string]string{
		"after=7":          "as in 1234-17",
		"after=99999999-0": "another one",
		"limit=0":          "from 1 to 10000",
		"limit=10001":      "from 1 to 10000",
		"app=Shop":         "app:",
		"app=nobody":       "no such app",
		"since=1":          "after",
	} {
		status, answer := get(t, r.http+"/v1/siem?"+query)
		if text := fmt.Sprint(answer); status < 400 || status >= 500 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", query, status, text)
		}
	}
}

// A feed into a file goes on where it was, and an answer tells how far it goes.
func TestAFeedForASIEMGoesOn(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), false)
	dir := t.TempDir()
	out, cursor := filepath.Join(dir, "siem.ndjson"), filepath.Join(dir, "cursor")
	feed := func() []siemEvent {
		t.Helper()
		if text, err := cli(t, r, "siem", "export", "--to-file", out, "--cursor-file", cursor); err != nil || text != "" {
			t.Fatalf("%q, %v", text, err)
		}
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return siemEvents(t, string(text))
	}
	add := func(app string) {
		t.Helper()
		if _, err := cli(t, r, "app", "add", app, "--handler", "Demo Ltd"); err != nil {
			t.Fatal(err)
		}
	}
	add("shop")
	for _, flag := range []string{"--cursor-file", "--to-file"} {
		below := filepath.Join(dir, "new")
		_, err := cli(t, r, "siem", "export", flag, filepath.Join(below, "file"))
		if err == nil || !strings.Contains(err.Error(), flag) || !strings.Contains(err.Error(), "make it first") {
			t.Errorf("%s in a directory that is not there: %v", flag, err)
		}
		if _, err := os.Stat(below); err == nil {
			t.Errorf("%s makes a directory", flag)
		}
	}
	first := feed()
	add("bank")
	both := feed()
	if len(first) == 0 || len(both) <= len(first) || both[len(both)-1].Metadata.TenantUID != "bank" || !slices.Equal(both[:len(first)], first) {
		t.Errorf("%+v, then %+v", first, both)
	}

	at := first[len(first)-1].Unmapped.Cursor
	resp, err := http.Get(r.http + "/v1/siem?limit=1&after=" + url.QueryEscape(at))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if link := resp.Header.Get("Link"); !strings.Contains(link, "after="+resp.Header.Get(siem.CursorHeader)) || !strings.HasSuffix(link, `>; rel="next"`) {
		t.Errorf("the link is %q", link)
	}
	if next := both[len(first)].Unmapped.Cursor; resp.Header.Get(siem.CursorHeader) != next || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%v, want the cursor %s", resp.Header, next)
	}
}
