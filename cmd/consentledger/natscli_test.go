package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// natsTool is the nats command line tool, which is nobody's code here. The
// first use of all installs it; .ci/test does so before any test's time runs.
var natsTool = sync.OnceValues(func() (string, error) {
	var log bytes.Buffer
	c := exec.Command("go", "run", "consentledger/cmd/internal/natscli")
	c.Stderr = io.MultiWriter(&log, os.Stderr) // it says so when it installs
	path, err := c.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, &log)
	}
	return strings.TrimSpace(string(path)), err
})

// A natsUser is somebody with the nats tool and a server's address.
type natsUser struct {
	t    *testing.T
	tool string
	env  []string
	args []string // before all others
}

func newNATSUser(t *testing.T, args ...string) natsUser {
	t.Helper()
	tool, err := natsTool()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir() // no context of the user's own
	return natsUser{t, tool, append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "NATS_URL=", "NATS_CONTEXT=", "NO_COLOR=1"), args}
}

func (u natsUser) try(args ...string) (string, error) {
	ctx, cancel := context.WithCancel(u.t.Context())
	defer cancel()
	c := exec.CommandContext(ctx, u.tool, append(append([]string{}, u.args...), args...)...)
	c.Env = u.env
	out, err := c.CombinedOutput()
	return string(out), err
}

func (u natsUser) run(args ...string) string {
	u.t.Helper()
	out, err := u.try(args...)
	if err != nil {
		u.t.Fatalf("nats %q: %v: %s", args, err, out)
	}
	return out
}

// request sends a request and returns the answer's JSON.
func (u natsUser) request(subject, body string, more ...string) map[string]any {
	u.t.Helper()
	out := u.run(append([]string{"req", subject, body, "--raw", "--timeout=60s"}, more...)...)
	var answer map[string]any
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		u.t.Fatalf("nats req %s: %v: %s", subject, err, out)
	}
	return answer
}

func (u natsUser) status(person string) string {
	u.t.Helper()
	a := u.request("consent.v1.smartkey.check", `{"subject":"`+person+`","purpose":"personalisation"}`)
	if a["allowed"] != (a["status"] == "given") {
		u.t.Errorf("%v", a)
	}
	return fmt.Sprint(a["status"])
}

// furnish registers the sample app and its policy.
func furnish(t *testing.T, r *running) {
	t.Helper()
	for _, args := range [][]string{
		{"app", "add", "smartkey", "--handler", "Demo Ltd"},
		{"policy", "publish", "--app", "smartkey", "smartkey/policy.yaml"},
	} {
		if out, err := cli(t, r, args...); err != nil {
			t.Fatalf("%v: %s %v", args, out, err)
		}
	}
}

func given(id, person string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"shell","type":"consent.given","subject":"` + person + `","data":{"act":"agree-popup"}}`
}

func TestTheNATSToolRecordsAndAsks(t *testing.T) {
	r := start(t, t.TempDir(), false)
	furnish(t, r)
	u := newNATSUser(t, "--server", r.nats)
	if got := u.status("ada"); got != "never-asked" {
		t.Errorf("before anything: %s", got)
	}
	receipt := u.request("consent.v1.smartkey.record", given("1", "ada"))
	if receipt["event_id"] == nil || u.status("ada") != "given" {
		t.Errorf("structured: %v, then %s", receipt, u.status("ada"))
	}
	if again := u.request("consent.v1.smartkey.record", given("1", "ada")); fmt.Sprint(again) != fmt.Sprint(receipt) {
		t.Errorf("the same event again: %v, first %v", again, receipt)
	}
	binary := []string{"-H", "ce-specversion:1.0", "-H", "ce-id:2", "-H", "ce-source:shell", "-H", "ce-type:consent.withdrawn", "-H", "ce-subject:ada"}
	if receipt := u.request("consent.v1.smartkey.record", `{"all":true}`, binary...); receipt["event_id"] == nil || u.status("ada") != "withdrawn" {
		t.Errorf("binary: %v, then %s", receipt, u.status("ada"))
	}
	out := u.run("req", "consent.v1.smartkey.record", given("3", ""), "--timeout=60s")
	if !strings.Contains(out, "Nats-Service-Error-Code: 400") || !strings.Contains(out, "subject is missing") {
		t.Errorf("an event without a person: %s", out)
	}
}

func TestTheNATSToolPublishes(t *testing.T) {
	r := start(t, t.TempDir(), false)
	furnish(t, r)
	u := newNATSUser(t, "--server", r.nats)
	const in = "consent.v1.smartkey.in.consent.given"
	u.run("pub", in, given("1", "bo"))
	eventually(t, "given", func() string { return u.status("bo") })
	if out := u.run("pub", "-J", in, given("1", "cy")); !strings.Contains(out, "CONSENT_IN") {
		t.Errorf("pub -J shows no stream: %s", out)
	}
	eventually(t, "given", func() string { return u.status("cy") })
	u.run("pub", "-J", "consent.v1.smartkey.in.consent.withdrawn", `{"purposes":["personalisation"]}`,
		"-H", "ce-specversion:1.0", "-H", "ce-id:2", "-H", "ce-source:shell", "-H", "ce-type:consent.withdrawn", "-H", "ce-subject:cy")
	eventually(t, "withdrawn", func() string { return u.status("cy") })

	// A message that is no event ends with the rejected.
	u.run("pub", "-J", in, "cy says yes")
	eventually(t, "1", func() string {
		out, err := cli(t, r, "rejected", "list", "-o", "jsonl")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(strings.Count(out, "\n"))
	})
	eventually(t, "0", func() string {
		var info struct{ State struct{ Messages int } }
		if err := json.Unmarshal([]byte(u.run("stream", "info", "CONSENT_IN", "--json")), &info); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(info.State.Messages)
	})
}

func TestTheNATSToolListsTheService(t *testing.T) {
	u := newNATSUser(t, "--server", start(t, t.TempDir(), false).nats)
	if out := u.run("service", "ls"); !strings.Contains(out, "consentledger") || !strings.Contains(out, "1.0.0") {
		t.Errorf("service ls: %s", out)
	}
	out := u.run("service", "info", "consentledger")
	for _, want := range []string{"consent.v1.*.record", "consent.v1.*.check", "/v1/schemas/event", "/v1/schemas/receipt", "/v1/schemas/answer", "/v1/schemas/problem"} {
		if !strings.Contains(out, want) {
			t.Errorf("service info does not show %s: %s", want, out)
		}
	}
}
