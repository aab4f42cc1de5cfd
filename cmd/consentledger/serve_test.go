package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A running is a server that a test started.
type running struct {
	http, nats string
	esdb       string // host and port
	said       func() string
	stop       func() error
	wait       func() error // until it ends by itself
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
	return startWith(t, server.Config{Data: dir, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Demo: demo})
}

func startWith(t *testing.T, config server.Config) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b := &banner{ready: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		done <- server.Run(ctx, config, b)
	}()
	var once sync.Once
	var stopped error
	r := &running{stop: func() error {
		once.Do(func() { cancel(); stopped = <-done })
		return stopped
	}}
	r.wait = func() error {
		once.Do(func() { stopped = <-done; cancel() })
		return stopped
	}
	r.said = func() string {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.text.String()
	}
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
	if at := regexp.MustCompile(`esdb://([0-9.:]+)`).FindStringSubmatch(b.text.String()); at != nil {
		r.esdb = at[1]
	}
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
	if err != nil && exit.Code(t.Context(), err) != exit.CodeNotAllowed {
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
	for ask() != want {
		select {
		case <-t.Context().Done():
			t.Fatalf("it did not come to %q", want)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestAnAppComesInThroughEveryEndpoint(t *testing.T) {
	t.Parallel()
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

	nc, err := nats.Connect(r.nats, nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	no := []byte(`{"specversion":"1.0","id":"n1","source":"test","type":"consent.withdrawn","subject":"ada","data":{"purposes":["personalisation"]}}`)
	var receipts []string
	for range 2 {
		m, err := nc.Request("consent.v1.smartkey.record", no, patience)
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

	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
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
