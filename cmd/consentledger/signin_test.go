package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/wire/wiretest"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/telemetry"

	"github.com/oauth2-proxy/mockoidc"
)

// signsIn starts a ledger in a directory whose people sign in at an identity provider.
func signsIn(t *testing.T, dir string, idp *mockoidc.MockOIDC) *running {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(idp.ClientSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return startWith(t, server.Config{
		Data: dir, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Metrics: true, Telemetry: telemetry.Config{Prometheus: true},
		Access: server.Access{Authenticate: true, Ways: server.Ways{
			Issuer: idp.Issuer(), Audience: "consentledger", Groups: groupsFile(t),
			Client: idp.ClientID, ClientSecret: secret, Scopes: []string{"groups"},
		}},
	})
}

// linkOf returns the link for the first administrator that serve prints, under the name
// localhost: to a browser that is another site than the provider's.
func linkOf(t *testing.T, r *running) string {
	t.Helper()
	link := ""
	eventually(t, "a link", func() string {
		if link = regexp.MustCompile(`http://[0-9.:]+/ui/setup\?code=[a-z2-7]{52}`).FindString(r.said()); link != "" {
			return "a link"
		}
		return r.said()
	})
	if strings.Contains(r.said(), "for LEDGER put") {
		t.Errorf("a link that can be opened as it is comes with an advice to change it: %s", r.said())
	}
	return strings.Replace(link, "127.0.0.1", "localhost", 1)
}

// A browser signs in by the link, by a key and at the provider, in a real Chromium.
// CONSENTLEDGER_PICTURES names a directory for a picture of each page.
func TestABrowserSignsIn(t *testing.T) {
	t.Parallel()
	idp, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = idp.Shutdown() })
	r := signsIn(t, t.TempDir(), idp)
	link := linkOf(t, r)
	for range 3 {
		idp.QueueUser(&mockoidc.MockUser{Subject: "ann", Groups: []string{string(auth.Officer)}})
	}

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var said, log bytes.Buffer
	args := []string{filepath.Join("testdata", "signin.cjs"), chromium(t), strings.Replace(r.http, "127.0.0.1", "localhost", 1), link}
	if dir := os.Getenv("CONSENTLEDGER_PICTURES"); dir != "" {
		args = append(args, dir)
	}
	c := exec.CommandContext(ctx, "node", args...)
	c.Env = append(os.Environ(), "NODE_PATH="+nodeModules(t))
	c.Stdout, c.Stderr = &said, &log
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	for line := range strings.Lines(said.String()) {
		t.Error(strings.TrimSpace(line))
	}
}

// visitor returns a client that keeps cookies and follows no redirect, and a way to send
// what a page of the ledger would.
func visitor(t *testing.T) func(method, to string, form url.Values) (status int, location string, text string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(method, to string, form url.Values) (int, string, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var body bytes.Buffer
		if _, err := body.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Location"), body.String()
	}
}

// formOf returns what the hidden fields of a page hold.
func formOf(text string) url.Values {
	form := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`).FindAllStringSubmatch(text, -1) {
		form.Set(m[1], m[2])
	}
	return form
}

// A session survives a restart of the ledger, is listed and ended by an administrator's
// verbs, and is counted. What is printed once is good for nothing once there is an
// administrator.
func TestSessionsSurviveARestartAndEndByAVerb(t *testing.T) {
	t.Parallel()
	idp, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = idp.Shutdown() })
	dir := t.TempDir()
	r := signsIn(t, dir, idp)
	link := strings.Replace(linkOf(t, r), "localhost", "127.0.0.1", 1)
	send := visitor(t)
	_, _, text := send("GET", link, nil)
	if status, to, text := send("POST", r.http+"/ui/setup", formOf(text)); status != 303 || to != "/ui/first-key" {
		t.Fatalf("%d %s %s", status, to, text)
	}
	_, _, text = send("GET", r.http+"/ui/first-key", nil)
	form := formOf(text)
	form.Set("name", "ann")
	form.Set("days", "30")
	_, _, text = send("POST", r.http+"/ui/first-key", form)
	key := regexp.MustCompile(`clk_[a-z2-7_]+[0-9a-f]+`).FindString(text)
	if key == "" {
		t.Fatal(text)
	}
	before := &guarded{T: t, admin: key, running: r}
	if out, err := before.as(key, "app", "add", "shop", "--handler", "Demo Ltd", "--group", "retail"); err != nil {
		t.Fatal(out, err)
	}
	retail := before.issue("--role", "app-reader", "--app", "group:retail")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	r = signsIn(t, dir, idp)
	if strings.Contains(r.said(), "/ui/setup") {
		t.Errorf("there is an administrator, and it says %s", r.said())
	}
	status, _, text := send("GET", r.http+"/ui/me", nil)
	if status != 200 {
		t.Fatalf("after a restart: %d %s", status, text)
	}
	g := &guarded{T: t, admin: key, running: r}
	g.eventually(func() bool { status, _ := g.ask(retail.Key, "GET", "/v1/apps/shop", ""); return status == 200 }, "a key for a group of apps opens none after a restart")
	out, err := g.as(key, "access", "me", "-o", "jsonl")
	var me struct{ Principal string }
	if err != nil || json.Unmarshal([]byte(out), &me) != nil || !strings.Contains(text, me.Principal) {
		t.Fatalf("%s %v", out, err)
	}
	if out, err := g.as(key, "access", "session", "list"); err != nil || !strings.Contains(out, me.Principal) {
		t.Errorf("%s %v", out, err)
	}
	if out, err := g.as(key, "access", "session", "end", me.Principal, "-o", "jsonl"); err != nil || !wiretest.Holds(out, `"ended":1`) {
		t.Errorf("%s %v", out, err)
	}
	if status, to, _ := send("GET", r.http+"/ui/me", nil); status != 303 || !strings.Contains(to, "why=none") {
		t.Errorf("after it was ended: %d %s", status, to)
	}

	viewer := g.issue("--role", "viewer", "--all-apps")
	if status, _ := g.ask(viewer.Key, "GET", "/v1/access/sessions", ""); status != 403 {
		t.Errorf("a viewer sees who is signed in: %d", status)
	}
	_, text = g.ask(viewer.Key, "GET", "/metrics", "")
	for _, want := range []string{
		`consentledger_session_signouts_total\{[^}]*how="administrator"[^}]*\} 1`, `consentledger_session_refusals_total\{[^}]*why="session"[^}]*\} 1`,
		`consentledger_session_signins_total\{[^}]*way="provider"[^}]*\} 0`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if strings.Contains(text, me.Principal) {
		t.Error("a metric names somebody")
	}
}

// TestTheFileOfRolesIsFollowed: a role that is taken away in the file is gone without a
// restart, and that it was is recorded.
func TestTheFileOfRolesIsFollowed(t *testing.T) {
	t.Parallel()
	idp, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = idp.Shutdown() })
	file := groupsFile(t)
	g := guardWith(t, server.Ways{Issuer: idp.Issuer(), Audience: "consentledger", Groups: file})
	token := tokenOf(t, idp, string(auth.Administrator))
	if status, text := g.ask(token, "GET", "/v1/access/me", ""); status != 200 || !strings.Contains(text, `"manage-sessions"`) {
		t.Fatalf("%d %s", status, text)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	change := func(text string) {
		t.Helper()
		other := file + ".new"
		if err := os.WriteFile(other, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(other, file); err != nil {
			t.Fatal(err)
		}
	}
	become := func(want string) {
		t.Helper()
		eventually(t, want, func() string {
			_, text := g.ask(token, "GET", "/v1/access/me", "")
			switch {
			case strings.Contains(text, `"unmapped"`):
				return "nobody"
			case strings.Contains(text, `"viewer"`):
				return "a viewer"
			case strings.Contains(text, `"administrator"`):
				return "an administrator"
			}
			return text
		})
	}

	// Each change is recorded when it takes effect, once: of the same holder, by a pseudonym.
	auditor := g.issue("--role", "auditor", "--app", "shop", "--days", "7")
	var holder string
	recorded := func(want string) {
		t.Helper()
		eventually(t, want, func() string {
			log, err := g.as(auditor.Key, "replay", "--app", "shop", "--type", "roles.changed")
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, m := range regexp.MustCompile(`"holder":"([^"]+)","roles":"([^"]+)"`).FindAllStringSubmatch(log, -1) {
				if holder == "" && m[2] == "administrator" {
					holder = m[1]
				}
				if m[1] == holder {
					said = append(said, m[2])
				}
			}
			return strings.Join(said, " ")
		})
	}
	recorded("administrator")
	change(strings.Replace(string(good), "group: administrator", "group: others", 1))
	become("nobody")
	recorded("administrator none")
	change(strings.Replace(string(good), "roles: [administrator]\n    all_apps: true", "roles: [viewer]\n    apps: [shop]", 1))
	become("a viewer")
	recorded("administrator none viewer")
}

// TestThePagesDoNotAskWhoIsSignedInForAName: who is signed in is known.
func TestThePagesDoNotAskWhoIsSignedInForAName(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.agree("wilhelmina")
	d.run(d.keys[auth.Officer], "record", "--operator", "--app", "shop", "--type", "age.recorded", "--subject", "wilhelmina",
		"--data", `{"band":"15-17","basis":"declared"}`)
	send := visitor(t)
	_, _, text := send("GET", d.running.http+"/ui/sign-in", nil)
	form := formOf(text)
	form.Set("key", d.auditor.Key)
	if status, to, text := send("POST", d.running.http+"/ui/sign-in", form); status != 303 {
		t.Fatalf("%d %s %s", status, to, text)
	}

	for _, page := range []struct{ shown, asked, with string }{
		{"/ui/minors", "/ui/minors", ""},
		{"/ui/audit", "/ui/audit/report", ""},
		{"/ui/audit", "/ui/audit/accesses", ""},
		{"/ui/person", "/ui/person", "account:wilhelmina"},
	} {
		_, _, text := send("GET", d.running.http+page.shown+"?app=shop", nil)
		if strings.Contains(text, `name="by"`) || !strings.Contains(text, `name="reason"`) {
			t.Errorf("%s asks: %s", page.shown, text)
		}
		form := url.Values{"token": {formOf(text).Get("token")}, "reason": {"audit"}, "by": {"somebody else"}}
		if page.with != "" {
			form.Set("subject", page.with)
		}
		if status, _, text := send("POST", d.running.http+page.asked+"?app=shop", form); status != 200 || strings.Contains(text, `role="alert"`) {
			t.Errorf("%s: %d %s", page.asked, status, text)
		}
	}

	// Who shows a key and is not signed in is asked, as before.
	if text := d.sits(d.auditor).get("/ui/minors?app=shop"); !strings.Contains(text, `name="by"`) {
		t.Errorf("%s", text)
	}
}
