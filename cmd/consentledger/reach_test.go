package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/api/nats/operator"
	"consentledger/api/wire/wiretest"
	"consentledger/cmd/internal/server"
	"consentledger/projections"

	"github.com/nats-io/nats.go"
)

// openUnread opens a server whose projections are lost, and lets nothing read the
// log.
func openUnread(t *testing.T, dir string) *server.Server {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, "views")); err != nil {
		t.Fatal(err)
	}
	return openUnrun(t, server.Config{Data: dir, NATSListen: "127.0.0.1:0"})
}

// ask asks a handler.
func ask(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	h.ServeHTTP(w, r)
	return w
}

// TestNotYetKnownIsNotNeverAsked asks while nothing of the log is read: what
// projections answer is not known yet, and what the ledger answers is.
func TestNotYetKnownIsNotNeverAsked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, dir, false)
	furnish(t, r)
	for _, args := range [][]string{
		{"record", "--app", "smartkey", "--type", "consent.given", "--subject", "ada", "--data", `{"act":"agree-popup"}`},
		{"record", "--app", "smartkey", "--type", "consent.withdrawn", "--subject", "ada", "--data", `{"purposes":["personalisation"]}`},
	} {
		if out, err := cli(t, r, args...); err != nil {
			t.Fatalf("%v: %s %v", args, out, err)
		}
	}
	_, feed := get(t, r.http+"/v1/apps/smartkey/reports/feed")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	h := openUnread(t, dir)
	handler := h.Handler()
	const app = "/v1/apps/smartkey"
	const far = "is being built: it has read the log up to position 0 of "
	for _, c := range [][3]string{
		{"GET", app + "/consents/counts", ""},
		{"GET", app + "/consents/opposed", ""},
		{"GET", app + "/activity", ""},
		{"GET", "/v1/apps", ""},
		{"POST", app + "/requests/query", "{}"},
		{"GET", app + "/requests/R1", ""},
		{"POST", app + "/incidents/query", "{}"},
		{"GET", app + "/incidents/I1", ""},
		{"POST", app + "/obligations/query", "{}"},
		{"GET", app + "/obligations", ""},
		{"GET", app + "/reports/deadlines", ""},
		{"GET", app + "/reports/deadlines?format=csv", ""},
		{"GET", app + "/reports/deadlines?format=ics", ""},
		{"GET", feed["path"].(string), ""},
	} {
		w := ask(handler, c[0], c[1], c[2])
		var p struct{ Code, Detail string }
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 503 || p.Code != "not-yet-known" || !strings.Contains(p.Detail, far) {
			t.Errorf("%s %s: %d %s", c[0], c[1], w.Code, w.Body)
		}
		if w.Header().Get("Retry-After") == "" {
			t.Errorf("%s %s does not say when to ask again", c[0], c[1])
		}
	}
	for _, c := range [][4]string{
		{"POST", app + "/check", `{"subject":"ada","purpose":"personalisation"}`, `"status":"withdrawn"`},
		{"GET", app + "/subjects/ada/consents", "", `"purpose":"personalisation","status":"withdrawn"`},
		{"POST", app + "/subjects/consents", `{"subject":"ada"}`, `"purpose":"personalisation","status":"withdrawn"`},
		{"GET", app + "/subjects/nobody/consents", "", `"purpose":"personalisation","status":"never-asked"`},
	} {
		if w := ask(handler, c[0], c[1], c[2]); w.Code != 200 || !strings.Contains(w.Body.String(), c[3]) {
			t.Errorf("what the ledger itself knows: %s %s: %d %s, want %s", c[0], c[1], w.Code, w.Body, c[3])
		}
	}
	w := ask(handler, "GET", "/readyz?verbose", "")
	for _, name := range []string{"projection consents", "projection policies", "projection activity", "projection requests", "transparency", "reactor"} {
		if !strings.Contains(w.Body.String(), `"detail":"`+name+" "+far) {
			t.Errorf("readyz does not say that %s is being built: %s", name, w.Body)
		}
	}
	if w.Code != 503 {
		t.Errorf("readyz: %d", w.Code)
	}
	overNATS(t, h, handler)

	// They read what there is.
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, len(h.Runners))
	group := projections.Group{History: h.Dir.Ledger, Runners: h.Runners, Pace: server.Pace}
	go group.Run(ctx, func(err error) { done <- err })
	if err := h.Wait(t.Context(), h.Reach.Start); err != nil {
		t.Error(err)
	}
	if w := ask(handler, "GET", app+"/subjects/ada/consents", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"withdrawn"`) {
		t.Errorf("once it is read: %d %s", w.Code, w.Body)
	}
	if still := h.Reading(t.Context()); len(still) != 2 { // the logs and the reactor were not started
		t.Errorf("still reading: %v", still)
	}
	cancel()
	for range h.Runners {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

func overNATS(t *testing.T, h *server.Server, handler http.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- operator.Run(ctx, operator.Config{Conn: h.Conn, Handler: handler, Log: h.Log}, func() { close(ready) })
	}()
	<-ready

	// The ledger answers nobody on its own connection's inboxes.
	nc, err := nats.Connect("", nats.InProcessServer(h.NATS))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for subject, body := range map[string]string{"counts": "", "activity": "", "requests": "{}", "deadlines": "{}"} {
		m, err := nc.Request("consent.v1.smartkey.query."+subject, []byte(body), patience)
		if err != nil || m.Header.Get("Nats-Service-Error-Code") != "503" || !strings.Contains(string(m.Data), `"not-yet-known"`) {
			t.Errorf("query.%s: %v, %v", subject, m, err)
		}
	}
	m, err := nc.Request("consent.v1.smartkey.query.consents", []byte(`{"subject":"ada"}`), patience)
	if err != nil || !wiretest.Holds(string(m.Data), `"purpose":"personalisation","status":"withdrawn"`) {
		t.Errorf("query.consents: %v, %v", m, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestAnOlderStoreDoesNotKeepItsNewerProjections: what a projection knows of
// records that the store does not have is of another history.
func TestAnOlderStoreDoesNotKeepItsNewerProjections(t *testing.T) {
	t.Parallel()
	dir, older := t.TempDir(), t.TempDir()
	r := start(t, dir, false)
	furnish(t, r)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	copyDir(t, dir, older)
	r = start(t, dir, false)
	if _, err := cli(t, r, "record", "--app", "smartkey", "--type", "consent.given", "--subject", "ada", "--data", `{"act":"agree-popup"}`, "--wait-sealed"); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	copyDir(t, filepath.Join(dir, "views"), filepath.Join(older, "views"))
	if err := os.RemoveAll(filepath.Join(older, "views", "transparency")); err != nil {
		t.Fatal(err)
	}
	r = start(t, older, false)
	if _, v := get(t, r.http+"/v1/apps/smartkey/activity"); strings.Contains(toJSON(t, v), "consent.given") {
		t.Errorf("a projection knows of a grant that the store does not have: %v", v)
	}
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
