package main

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/wire/wiretest"
)

// A browser sends its key to the pages alone. So every link of a page leads to a page, and
// answers to the key that opened it.
func TestEveryLinkOfThePagesOpensWithTheKeyOfTheBrowser(t *testing.T) {
	t.Parallel()
	g := guard(t)
	officer := g.keys[auth.Officer].Key
	if _, err := g.as(officer, "policy", "publish", "--app", "shop", "testdata/shop/promises.yaml"); err != nil {
		t.Fatal(err)
	}
	code, text := g.ask(g.keys[auth.Writer].Key, "POST", "/v1/apps/shop/events",
		`{"specversion":"1.0","id":"q1","source":"test","type":"request.received","subject":"ada","data":{"types":["access"],"channel":"email"}}`)
	var asked struct{ Position string }
	if err := json.Unmarshal([]byte(text), &asked); code != 200 || err != nil {
		t.Fatalf("%d %s, %v", code, text, err)
	}
	code, text = g.ask(officer, "GET", "/v1/apps/shop/obligations?min_position="+asked.Position, "")
	if code != 200 || !strings.Contains(text, `"kind"`) {
		t.Fatalf("what is owed: %d %s", code, text)
	}
	eventually(t, "in force", func() string {
		if _, text := g.ask(officer, "GET", "/v1/apps/shop/policies", ""); wiretest.Holds(text, `"in_force":true`) {
			return "in force"
		}
		return ""
	})

	get := func(path string) (*http.Response, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.running.http+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("somebody", officer)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}

	found := regexp.MustCompile(`(?:href|action)="([^"#][^"]*)"`)
	seen, types := map[string]bool{}, map[string]bool{}
	past := "/ui/?app=shop&as_of=" + time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
	for waiting := []string{"/ui/?app=shop", past}; len(waiting) > 0; waiting = waiting[1:] {
		path := waiting[0]
		resp, body := get(path)
		kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
		types[kind] = true
		ofEveryApp := strings.HasPrefix(path, "/ui/system") // and the key is for one: the page says so
		if resp.StatusCode != http.StatusOK && !(ofEveryApp && resp.StatusCode == http.StatusForbidden) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
		if kind != "text/html" {
			continue
		}
		for _, link := range found.FindAllStringSubmatch(body, -1) {
			to := html.UnescapeString(link[1])
			if !strings.HasPrefix(to, "/ui/") {
				if seen[to] {
					continue
				}
				seen[to] = true
				if code, _ := g.ask("", "GET", to, ""); code != http.StatusOK {
					t.Errorf("%s leads to %s, where no browser shows its key: %d", path, to, code)
				}
				continue
			}
			if isForm := strings.HasPrefix(to, "/ui/audit/report"); !isForm && !seen[to] {
				seen[to] = true
				waiting = append(waiting, to)
			}
		}
	}
	for _, kind := range []string{"text/csv", "text/calendar", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/json"} {
		if !types[kind] {
			t.Errorf("no link to a file of %s in %d links", kind, len(seen))
		}
	}
}
