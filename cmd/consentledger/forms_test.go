package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"consentledger/api/auth"
)

// A form of the pages records as the principal whose key the browser sends, and is there
// for nobody else.
func TestAFormRecordsAsItsKeysPrincipal(t *testing.T) {
	t.Parallel()
	g := guard(t)
	officer, support := g.keys[auth.Officer].Key, g.keys[auth.Support].Key
	code, text := g.ask(officer, "POST", "/v1/apps/shop/operator/events",
		`{"specversion":"1.0","id":"i1","source":"test","type":"incident.suspected","data":{"kind":"leak","what":"a table"}}`)
	var opened struct{ Incident, Position string }
	if err := json.Unmarshal([]byte(text), &opened); code != 200 || err != nil || opened.Incident == "" {
		t.Fatalf("%d %s, %v", code, text, err)
	}
	page := g.running.http + "/ui/incidents/" + opened.Incident + "?app=shop"

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	do := func(key, method, to string, form url.Values, headers ...string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("somebody", key)
		if method == "POST" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			req.Header.Set(name, value)
		}
		resp, err := browser.Do(req)
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

	at := page + "&at=" + opened.Position // the page shows the incident, however far projections are
	if resp, body := do(support, "GET", at, nil); resp.StatusCode != 200 || strings.Contains(body, "<details") {
		t.Errorf("a support agent sees %d %s", resp.StatusCode, body)
	}
	resp, body := do(officer, "GET", at, nil)
	named := regexp.MustCompile(`names (p-[a-z0-9]+)`).FindStringSubmatch(body)
	if resp.StatusCode != 200 || named == nil {
		t.Fatalf("an officer sees %d %s", resp.StatusCode, body)
	}
	form := url.Values{"form": {"incident.contained"}, "f.measures": {"cut off"}}
	part := body[strings.Index(body, `id="incident.contained"`):]
	for _, name := range []string{"token", "event"} {
		form.Set(name, regexp.MustCompile(`name="` + name + `" value="([^"]+)"`).FindStringSubmatch(part)[1])
	}

	if resp, _ := do(officer, "POST", page, form, "Origin: http://evil.example"); resp.StatusCode != 403 {
		t.Errorf("a page of another origin: %d", resp.StatusCode)
	}
	if resp, body := do(support, "POST", page, form); resp.StatusCode != 403 {
		t.Errorf("a support agent with an officer's form: %d %s", resp.StatusCode, body)
	}
	for range 2 { // a double click, and both lead to the page
		resp, body = do(officer, "POST", page, form, "Origin: "+g.running.http)
		if resp.StatusCode != 200 || resp.Request.Method != "GET" || !strings.Contains(body, "Recorded: Contained") {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}

	_, text = g.ask(officer, "GET", "/v1/apps/shop/incidents/"+opened.Incident, "")
	if n := strings.Count(text, `"kind":"incident.contained"`); n != 1 {
		t.Errorf("recorded %d times: %s", n, text)
	}
	if n := strings.Count(text, `"recorded_by":"`+named[1]+`"`); n != 2 {
		t.Errorf("%d steps name %s: %s", n, named[1], text)
	}
}
