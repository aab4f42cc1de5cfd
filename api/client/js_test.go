package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/api/internal/npm"
)

// said is what a script printed, by what it is of.
type said map[string]json.RawMessage

// script runs a script by node.
func script(t *testing.T, file string, args ...string) said {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var log bytes.Buffer
	c := exec.CommandContext(ctx, "node", append([]string{filepath.Join("testdata", file)}, args...)...)
	c.Env = append(os.Environ(), "NODE_PATH="+npm.Modules(t))
	c.Stderr = &log
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s%s", file, err, out, &log)
	}
	return lines(t, out)
}

// lines reads what a program said, a line of JSON each.
func lines(t *testing.T, out []byte) said {
	t.Helper()
	all := said{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var line struct {
			What  string
			Value json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("it printed %s", lines.Bytes())
		}
		all[line.What] = line.Value
	}
	return all
}

func as[T any](t *testing.T, s said, what string) (v T) {
	t.Helper()
	if err := json.Unmarshal(s[what], &v); err != nil {
		t.Fatalf("%s: %q: %v", what, s[what], err)
	}
	return v
}

func TestTheJavaScriptClient(t *testing.T) {
	s := serve(t)
	library, err := filepath.Abs(filepath.Join("js", "index.js"))
	if err != nil {
		t.Fatal(err)
	}
	cuts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Cut") != "" {
			cut(w)
			return
		}
		s.http.Config.Handler.ServeHTTP(w, r)
	}))
	defer cuts.Close()
	got := script(t, "node.mjs", "file://"+library, cuts.URL)

	first := as[Receipt](t, got, "first")
	if first.EventID == "" || first.ID != "js-1" || as[Receipt](t, got, "again") != first {
		t.Errorf("%s, then %s", got["first"], got["again"])
	}
	if a := as[Answer](t, got, "allowed"); !a.Allowed || !slices.Contains(a.Events, first.EventID) {
		t.Errorf("%+v", a)
	}
	if p := as[Prompt](t, got, "prompt"); len(p.Items) == 0 {
		t.Errorf("%+v", p)
	}
	for what, want := range map[string]string{
		"refused": `{"is":true,"code":"unknown-act","status":422}`,
		"lost":    `{"is":true,"id":true}`,
	} {
		if string(got[what]) != want {
			t.Errorf("%s: %s, want %s", what, got[what], want)
		}
	}
	for what, want := range map[string]string{"unknown": "unknown", "opting out": "said-here", "opted out": "no-consent-in-force"} {
		if a := as[Answer](t, got, what); a.Allowed || a.Why != want {
			t.Errorf("%s: %+v, want why %q", what, a, want)
		}
	}
}

// page is an app's page: the ledger is reached through its own origin.
const page = `<!doctype html><meta charset="utf-8"><title>app</title><script type="module">
import { recorder, anonymous } from '/js/browser.js'
Object.assign(window, { anonymous, record: recorder({ url: '/consent', app: 'smartkey' }), ready: true })
</script>`

func TestTheBrowserLosesNothing(t *testing.T) {
	s := serve(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write([]byte(page))
	})
	mux.Handle("/js/", http.StripPrefix("/js/", http.FileServer(http.Dir("js"))))
	mux.Handle("/consent/", http.StripPrefix("/consent", s.http.Config.Handler))
	mux.HandleFunc("/cut", func(_ http.ResponseWriter, r *http.Request) { s.down.Store(r.ContentLength > 0) })
	mux.HandleFunc("/deaf", func(http.ResponseWriter, *http.Request) { s.deaf.Store(1) })
	mux.HandleFunc("/asked", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s.asked.Load()) })
	site := httptest.NewServer(mux)
	defer site.Close()

	chromium, err := exec.Command("go", "run", "consentledger/cmd/internal/chromium").Output()
	if err != nil {
		t.Fatal(err)
	}
	got := script(t, "browser.cjs", strings.TrimSpace(string(chromium)), site.URL)
	if e, failed := got["page error"]; failed {
		t.Errorf("the page failed: %s", e)
	}
	if string(got["stored before"]) != "0" {
		t.Errorf("%s things were stored before anything was recorded", got["stored before"])
	}
	subject := as[string](t, got, "subject")
	if r := as[Receipt](t, got, "grant"); r.Counts != "yes" && r.Counts != "partly" || r.Subject != subject || !strings.HasPrefix(subject, "device:") {
		t.Errorf("%+v of %s", r, subject)
	}
	if string(got["refused"]) != `"unknown-act"` || string(got["same subject"]) != "true" {
		t.Errorf("refused: %s, same subject: %s", got["refused"], got["same subject"])
	}
	if string(got["by beacon"]) != "1" {
		t.Errorf("the beacon brought %s events", got["by beacon"])
	}
	want := []string{"consent.given", "consent.withdrawn", "consent.given", "consent.withdrawn"}
	if recorded := s.recorded(subject); !slices.Equal(recorded, want) {
		t.Errorf("recorded %q, want %q", recorded, want)
	}
}

// What a person said waits for a token of theirs while another person is signed in.
func TestTheBrowserKeepsWhatAnotherPersonSaid(t *testing.T) {
	var mu sync.Mutex
	var recorded []string
	ledger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var event struct{ Subject string }
		err := json.NewDecoder(r.Body).Decode(&event)
		mu.Lock()
		defer mu.Unlock()
		if err != nil || r.Header.Get("Authorization") != "Bearer "+event.Subject {
			w.WriteHeader(http.StatusForbidden)
			w.Write([]byte(`{"status":403,"code":"forbidden","outcome":"refused"}`))
			return
		}
		recorded = append(recorded, event.Subject)
		w.Write([]byte(`{"outcome":"recorded"}`))
	}))
	defer ledger.Close()
	library, err := filepath.Abs(filepath.Join("js", "browser.js"))
	if err != nil {
		t.Fatal(err)
	}

	got := script(t, "others.mjs", "file://"+library, ledger.URL)
	for what, want := range map[string]string{"waiting": `["consentledger.event.shop.1.a"]`, "wrong person": `"forbidden"`, "left": `[]`} {
		if string(got[what]) != want {
			t.Errorf("%s: %s, want %s", what, got[what], want)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"account:bob", "account:ada", "account:ada"}; !slices.Equal(recorded, want) {
		t.Errorf("recorded %q, want %q", recorded, want)
	}
}

// What a page loads is below 4 kB, as it is written.
func TestTheBrowsersModuleIsSmall(t *testing.T) {
	info, err := os.Stat(filepath.Join("js", "browser.js"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= 4000 {
		t.Errorf("%d bytes", info.Size())
	}
}

// The declared types are those that an app in TypeScript needs.
func TestAnAppInTypeScriptCompiles(t *testing.T) {
	dir, modules := t.TempDir(), npm.Modules(t)
	js, err := filepath.Abs("js")
	if err != nil {
		t.Fatal(err)
	}
	app, err := os.ReadFile(filepath.Join("testdata", "types.ts"))
	if err != nil {
		t.Fatal(err)
	}
	scope := filepath.Join(dir, "node_modules", "@consentledger")
	for _, err := range []error{
		os.MkdirAll(scope, 0o700),
		os.Symlink(js, filepath.Join(scope, "client")),
		os.WriteFile(filepath.Join(dir, "types.ts"), app, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), "node", filepath.Join(modules, "typescript", "bin", "tsc"), "--noEmit", "--strict",
		"--target", "es2022", "--lib", "es2022,dom", "--module", "nodenext", "--moduleResolution", "nodenext", "types.ts")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
