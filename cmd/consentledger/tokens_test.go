package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"consentledger/api/auth"
	"consentledger/api/auth/token"
	"consentledger/api/wire/wiretest"
	"consentledger/cmd/internal/server"
)

// mint lets the shop's back end mint a token for somebody.
func (g *guarded) mint(app, subject string, actions ...string) string {
	g.Helper()
	key := g.keys[auth.Writer].Key
	if app != "shop" {
		key = g.issue("--role", "app-writer", "--app", app).Key
	}
	return g.mintBy(key, app, subject, actions...)
}

// mintBy lets who has a key mint a token for somebody.
func (g *guarded) mintBy(key, app, subject string, actions ...string) string {
	g.Helper()
	body, err := json.Marshal(token.Request{Subject: subject, Actions: actions})
	if err != nil {
		g.Fatal(err)
	}
	status, text := g.ask(key, "POST", "/v1/apps/"+app+"/tokens", string(body))
	var a token.Answer
	if err := json.Unmarshal([]byte(text), &a); err != nil || status != http.StatusOK {
		g.Fatalf("%d %s %v", status, text, err)
	}
	return a.Token
}

// A subject token is tried on every route, for its own app and for another, by each of
// its actions and by all of them: it opens those of its actions, and no other.
func TestASubjectTokenOpensItsActionsAndNothingElse(t *testing.T) {
	t.Parallel()
	g := guard(t)
	fill := strings.NewReplacer("{id}", "ada", "{purpose}", "mail", "{group}", "family", "{seq}", "7", "{name}", "event", "{hash}", "x",
		"{version}", "x", "{surface}", "x", "{register}", "processing", "{token}", "x", "{path...}", "0/0", "{$}", "")
	opens := map[string][]auth.Operation{
		"record": {auth.Record}, "check": {auth.Check}, "prompt": {auth.Prompt, auth.Describe},
	}
	for _, actions := range [][]string{{"record"}, {"check"}, {"prompt"}, {"record", "check", "prompt"}} {
		ask := g.by(g.mint("shop", "ada", actions...))
		for _, r := range auth.Routes {
			method, path, _ := strings.Cut(fill.Replace(r.Pattern), " ")
			body := ""
			if method != http.MethodGet {
				body = `{}`
			}
			may := r.Operation == auth.Public
			for _, a := range actions {
				for _, op := range opens[a] {
					may = may || r.Operation == op
				}
			}
			for _, app := range []string{"shop", "bank", "nosuch"} {
				status, text := ask(method, strings.ReplaceAll(path, "{app}", app), body)
				stopped := status == 401 || status == 403 || status >= 400 && strings.Contains(text, "none of this key's")
				if want := may && (r.Scope != auth.OfApp || app == "shop" || r.Operation == auth.Public); want == stopped {
					t.Errorf("%s in %s, to %v: %d %s", r.Pattern, app, actions, status, text)
				}
			}
		}
	}
}

// What a token of ada's is not for is refused before anything is recorded.
func TestASubjectTokenSpeaksOfItsPersonAlone(t *testing.T) {
	t.Parallel()
	g := guard(t)
	own := g.by(g.mint("shop", "ada", "record", "check", "prompt"))
	event := func(id, kind, subject, more, data string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"phone","type":%q,"subject":%q%s,"data":%s}`, id, kind, subject, more, data)
	}
	const all = `{"all":true}`
	for name, subject := range map[string]string{"by the account": "ada", "by the account in full": "account:ada"} {
		if status, text := own("POST", "/v1/apps/shop/events", event(name, "consent.withdrawn", subject, "", all)); status != 200 {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}

	for name, body := range map[string]string{
		"another person":      event("n1", "consent.withdrawn", "bob", "", all),
		"a device of theirs":  event("n2", "consent.withdrawn", "device:ada", "", all),
		"a link to another":   event("n3", "subject.linked", "ada", "", `{"other":"account:bob","proof":"login"}`),
		"a guardian":          event("n4", "guardian.verified", "ada", "", `{"guardian":"account:bob","proof":{"document":"sha256:`+strings.Repeat("1", 64)+`","method":"in-person","checked_by":"operator:ann"}}`),
		"an age":              event("n5", "age.recorded", "ada", "", `{"band":"adult","basis":"declared"}`),
		"the end of it all":   event("n6", "subject.closed", "ada", "", `{"reason":"account-deleted"}`),
		"as an operator":      event("n7", "consent.withdrawn", "ada", `,"actor":"operator"`, all),
		"as their guardian":   event("n8", "consent.withdrawn", "ada", `,"actor":"guardian"`, all),
		"on behalf of others": event("n9", "consent.withdrawn", "ada", `,"onbehalfof":"somebody"`, all),
		"carried over":        event("n11", "consent.given", "ada", `,"time":"2020-01-01T00:00:00Z"`, `{"act":"agree","purposes":["mail"],"import":true,"filtered_by":"operator:bob"}`),
		"checked by somebody": event("n12", "consent.given", "ada", "", `{"act":"agree","purposes":["mail"],"proof":{"document":"sha256:`+strings.Repeat("1", 64)+`","method":"in-person","checked_by":"operator:bob"}}`),
		"with a guardian":     event("n10", "request.received", "ada", "", `{"types":["withdraw"],"channel":"app","guardian":"account:bob"}`),
	} {
		if status, text := own("POST", "/v1/apps/shop/events", body); status != 403 || strings.Contains(text, "bob") {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	batch := "[" + event("b1", "consent.withdrawn", "bob", "", all) + "," + event("b2", "consent.withdrawn", "ada", "", all) + "]"
	if status, text := own("POST", "/v1/apps/shop/events", batch); status != 200 || !wiretest.Holds(text, `{"status":403,`) || strings.Count(text, `{"status":200,`) != 1 {
		t.Errorf("a batch: %d %s", status, text)
	}

	for name, c := range map[string]struct {
		method, path, body string
		want               int
	}{
		"check of oneself":           {"POST", "/v1/apps/shop/check", `{"subject":"ada","purpose":"mail"}`, 200},
		"check of another":           {"POST", "/v1/apps/shop/check", `{"subject":"bob","purpose":"mail"}`, 403},
		"check of another, by path":  {"GET", "/v1/apps/shop/subjects/bob/purposes/mail/check", "", 403},
		"check of both":              {"POST", "/v1/apps/shop/check", `{"checks":[{"subject":"bob","purpose":"mail"}]}`, 200},
		"prompt of oneself":          {"POST", "/v1/apps/shop/subjects/prompt", `{"subject":"account:ada"}`, 200},
		"prompt of another":          {"POST", "/v1/apps/shop/subjects/prompt", `{"subject":"bob"}`, 403},
		"prompt of another, by path": {"GET", "/v1/apps/shop/subjects/device:ada/prompt", "", 403},
	} {
		status, text := own(c.method, c.path, c.body)
		if status != c.want && !(c.want == 200 && status == 404) || strings.Contains(text, "bob") {
			t.Errorf("%s: %d %s", name, status, text)
		}
		if strings.Contains(c.body, "checks") && (!wiretest.Holds(text, `"status":403`) || strings.Contains(text, `"answer"`)) {
			t.Errorf("%s: %s", name, text)
		}
	}

	// Of whom it was refused, there is no history; and who recorded is the back end's token.
	auditor := g.issue("--role", "auditor", "--all-apps", "--days", "7")
	if status, text := g.ask(auditor.Key, "POST", "/v1/apps/shop/subjects/history", `{"subject":"bob"}`); strings.Contains(text, "consent.withdrawn") {
		t.Errorf("%d %s", status, text)
	}
	out, err := g.as(auditor.Key, "replay", "--app", "shop", "--subject", "ada")
	if err != nil || !strings.Contains(out, `"recorded_by":"`+g.keys[auth.Writer].Principal+`-token"`) || strings.Contains(out, "subject.linked") {
		t.Errorf("%s %v", out, err)
	}
}

// A page of an origin that the app allows records by a token, and by nothing else.
func TestAPageOfTheAppsOriginRecordsByATokenAlone(t *testing.T) {
	t.Parallel()
	const origin = "https://shop.example.com"
	dir := t.TempDir()
	g := guardIn(t, dir, server.Access{Authenticate: true, Ways: server.Ways{Origins: []string{"shop=" + origin}}})
	fromPage := func(credential, app string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", g.running.http+"/v1/apps/"+app+"/events", strings.NewReader(
			`{"specversion":"1.0","id":"p1","source":"page","type":"consent.withdrawn","subject":"ada","data":{"all":true}}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/cloudevents+json")
		r.Header.Set("Origin", origin)
		r.Header.Set("Authorization", "Bearer "+credential)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	if resp := fromPage(g.mint("shop", "ada"), "shop"); resp.StatusCode != 200 || resp.Header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	if resp := fromPage(g.keys[auth.Writer].Key, "shop"); resp.StatusCode != 401 {
		t.Errorf("a key from a page: %d", resp.StatusCode)
	}
	if resp := fromPage(g.mint("bank", "ada"), "shop"); resp.StatusCode != 404 {
		t.Errorf("a token of another app: %d", resp.StatusCode)
	}
	if resp := fromPage(g.mint("bank", "ada"), "bank"); resp.StatusCode != 403 || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("in another app: %d %v", resp.StatusCode, resp.Header)
	}
}
