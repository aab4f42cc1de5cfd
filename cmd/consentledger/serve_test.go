package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A running is a server that a test started.
type running struct {
	http, nats string
	stop       func() error
}

// banner hands on what serve prints, and tells when it is ready.
type banner struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan struct{}
	once  sync.Once
}

func (b *banner) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.text.Write(p)
	if strings.Contains(b.text.String(), "data  ") {
		b.once.Do(func() { close(b.ready) })
	}
	return n, err
}

func start(t *testing.T, dir string, demo bool) *running {
	t.Helper()
	return startWith(t, serveConfig{data: dir, http: "127.0.0.1:0", natsListen: "127.0.0.1:0", demo: demo})
}

func startWith(t *testing.T, config serveConfig) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b := &banner{ready: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		done <- serve(ctx, config, b)
	}()
	var once sync.Once
	var stopped error
	r := &running{stop: func() error {
		once.Do(func() { cancel(); stopped = <-done })
		return stopped
	}}
	t.Cleanup(func() { r.stop() })
	select {
	case <-b.ready:
	case err := <-done:
		done <- err
		t.Fatalf("serve ended: %v", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r.http = regexp.MustCompile(`http://[0-9.:]+`).FindString(b.text.String())
	r.nats = regexp.MustCompile(`nats://[0-9.:]+`).FindString(b.text.String())
	return r
}

func get(t *testing.T, url string) (int, map[string]any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var v map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, v
}

// cli runs a verb as a user would and returns what it prints.
func cli(t *testing.T, r *running, args ...string) (string, error) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(io.Discard)
	if r != nil {
		args = append(args, "--server", r.http)
	}
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func may(t *testing.T, r *running, user, purpose string) (status string) {
	t.Helper()
	out, err := cli(t, r, "check", "--app", "smartkey", "--subject", user, "--purpose", purpose, "-o", "jsonl")
	if _, no := errors.AsType[notAllowed](err); err != nil && !no {
		t.Fatal(err)
	}
	var a struct {
		Allowed bool
		Status  string
	}
	if err := json.Unmarshal([]byte(out), &a); err != nil || a.Allowed != (a.Status == "given") {
		t.Fatalf("%s: %s, %v", user, out, err)
	}
	return a.Status
}

// eventually asks until the answer is the wanted one; the test's own limit
// ends it.
func eventually(t *testing.T, want string, ask func() string) {
	t.Helper()
	for got := ""; got != want; {
		if got = ask(); got != want {
			select {
			case <-t.Context().Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

func TestDemoIsWhatTheReadmeSays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data-demo")
	begun := time.Now()
	r := start(t, dir, true)
	eventually(t, "given", func() string { return may(t, r, "user-1", "personalisation") })
	eventually(t, "withdrawn", func() string { return may(t, r, "user-2", "personalisation") })
	t.Logf("a consent given and one withdrawn are told %v after the start", time.Since(begun).Round(time.Millisecond))
	eventually(t, "refused", func() string { return may(t, r, "user-3", "personalisation") })
	eventually(t, "withdrawn", func() string { return may(t, r, "user-4", "network-diagnosis") })
	eventually(t, "given", func() string { return may(t, r, "user-2", "promotion-evaluation") })

	code, v := get(t, r.http+"/v1/apps/smartkey/subjects/user-2/consents")
	if text := fmt.Sprint(v); code != 200 || !strings.Contains(text, "withdrawn") || !strings.Contains(text, "as_of") {
		t.Errorf("consents: %d %v", code, v)
	}
	eventually(t, "2", func() string {
		out, err := cli(t, r, "rejected", "list", "-o", "jsonl")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(strings.Count(out, "\n"))
	})
	if code, v := get(t, r.http+"/readyz?verbose"); code != 200 {
		t.Errorf("readyz: %d %v", code, v)
	}

	eventually(t, "1", func() string {
		out, err := cli(t, r, "app", "list", "-o", "jsonl")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(strings.Count(out, `"policies":2`))
	})
	if code, v := get(t, r.http+"/v1/apps/smartkey/activity"); code != 200 || !strings.Contains(fmt.Sprint(v), "consent.given") {
		t.Errorf("activity: %d %v", code, v)
	}

	if _, err := openDataDir(t.Context(), dir, "demo", false); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second process: %v", err)
	}
	history, err := cli(t, r, "replay", "--app", "smartkey", "--subject", "user-2")
	if err != nil || !strings.Contains(history, "consent.withdrawn") {
		t.Errorf("replay: %s, %v", history, err)
	}
	if err := r.stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	if offline, err := cli(t, nil, "replay", "--data", dir, "--app", "smartkey", "--subject", "user-2"); err != nil || offline != history {
		t.Errorf("replay of the stopped directory differs: %s, %v\nfrom the server: %s", offline, err, history)
	}
	if _, err := openDataDir(t.Context(), dir, "live", true); err == nil || !strings.Contains(err.Error(), "is for demo") {
		t.Errorf("a live server opened the demo's directory: %v", err)
	}
}

func TestAnAppComesInThroughEveryDoor(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir, false)
	if _, err := cli(t, r, "record", "--app", "smartkey", "--type", "consent.withdrawn", "--subject", "ada", "--data", `{"all":true}`); err == nil || !strings.Contains(err.Error(), "unknown-app") {
		t.Errorf("an unknown app recorded: %v", err)
	}
	for _, args := range [][]string{
		{"app", "add", "smartkey", "--handler", "Demo Ltd"},
		{"policy", "publish", "--app", "smartkey", "smartkey/policy.yaml"},
		{"record", "--app", "smartkey", "--type", "consent.given", "--subject", "ada", "--data", `{"act":"agree-popup"}`},
	} {
		if out, err := cli(t, r, args...); err != nil {
			t.Fatalf("%v: %s %v", args, out, err)
		}
	}
	if got := may(t, r, "ada", "personalisation"); got != "given" {
		t.Errorf("after HTTP: %s", got)
	}

	nc, err := nats.Connect(r.nats)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	no := []byte(`{"specversion":"1.0","id":"n1","source":"test","type":"consent.withdrawn","subject":"ada","data":{"purposes":["personalisation"]}}`)
	var receipts []string
	for range 2 {
		m, err := nc.Request("consent.v1.smartkey.record", no, 10*time.Second)
		if err != nil || m.Header.Get("Nats-Service-Error-Code") != "" {
			t.Fatalf("%s, %v", m.Data, err)
		}
		receipts = append(receipts, string(m.Data))
	}
	if receipts[0] != receipts[1] {
		t.Errorf("one request, two receipts: %v", receipts)
	}
	if got := may(t, r, "ada", "personalisation"); got != "withdrawn" {
		t.Errorf("after NATS: %s", got)
	}

	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	again := []byte(`{"specversion":"1.0","id":"n2","source":"test","type":"consent.given","subject":"ada","data":{"act":"confirm-next","purposes":["personalisation"]}}`)
	if _, err := js.Publish(t.Context(), "consent.v1.smartkey.in.consent.given", again); err != nil {
		t.Fatal(err)
	}
	eventually(t, "given", func() string { return may(t, r, "ada", "personalisation") })

	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if got := may(t, start(t, dir, false), "ada", "personalisation"); got != "given" {
		t.Errorf("after a restart: %s", got)
	}
}
