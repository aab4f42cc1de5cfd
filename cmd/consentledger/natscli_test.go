package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"consentledger/api/nats/operator"
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

// try runs the tool, which else waits five seconds for an answer.
func (u natsUser) try(args ...string) (string, error) {
	if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--timeout=") }) && args[0] != "context" {
		args = append(slices.Clone(args), "--timeout=60s")
	}
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
	out := u.run(append([]string{"req", subject, body, "--raw"}, more...)...)
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
	t.Parallel()
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
	out := u.run("req", "consent.v1.smartkey.record", given("3", ""))
	if !strings.Contains(out, "Nats-Service-Error-Code: 400") || !strings.Contains(out, "subject is missing") {
		t.Errorf("an event without a person: %s", out)
	}
}

func TestTheNATSToolPublishes(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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

// What an operator does over HTTP goes over NATS too, in the same words.
func TestTheNATSToolOperates(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), false)
	furnish(t, r)
	u := newNATSUser(t, "--server", r.nats)
	u.request("consent.v1.smartkey.record", given("1", "ada"))
	if w := u.request("consent.v1.smartkey.record", given("2", "ada")); w["event_id"] == nil {
		t.Fatal(w)
	}
	event := func(id, kind, subject, data string) string {
		return `{"specversion":"1.0","id":"` + id + `","source":"desk","type":"` + kind + `"` + subject + `,"data":` + data + `}`
	}
	const ada = `,"subject":"ada"`
	if a := u.request("consent.v1.smartkey.operate", event("h", "hold.placed", ada, `{"reason":"litigation","authority":"a court"}`)); a["event_id"] == nil {
		t.Errorf("a hold: %v", a)
	}
	if a := u.request("consent.v1.smartkey.check", `{"subject":"ada","purpose":"personalisation"}`); a["allowed"] != false {
		t.Errorf("behind the hold: %v", a)
	}
	if a := u.request("consent.v1.smartkey.record", event("h2", "hold.placed", ada, `{"reason":"litigation"}`)); a["code"] != "not-for-apps" {
		t.Errorf("by the endpoint for apps: %v", a)
	}
	told := event("t", "group.told", "", `{"group":"acme","record":"7f3a"}`)
	for _, endpoint := range []string{"smartkey.record", "smartkey.operate", "acme.group"} {
		if a := u.request("consent.v1."+endpoint, told); a["code"] != "not-for-apps" || !strings.Contains(fmt.Sprint(a["detail"]), "the ledger says of itself") {
			t.Errorf("what the ledger says of itself, to %s: %v", endpoint, a)
		}
	}
	u.run("pub", "consent.v1.smartkey.in.group.told", told)
	eventually(t, "not-for-apps", func() string {
		out, err := cli(t, r, "rejected", "list", "-o", "jsonl")
		if err != nil || !strings.Contains(out, "not-for-apps") {
			return out
		}
		return "not-for-apps"
	})
	opened := u.request("consent.v1.smartkey.operate", event("q", "request.received", ada, `{"types":["access"],"channel":"feedback","authenticated":true}`))
	id := fmt.Sprint(opened["request"])
	for subject, want := range map[string]string{
		`query.state {"subject":"ada"}`:                                                             `"purposes":[`,
		`query.history {"subject":"ada","limit":1}`:                                                 `"next":`,
		`query.requests {"subject":"ada","min_position":"` + fmt.Sprint(opened["position"]) + `"}`:  id,
		`query.request {"id":"` + id + `","min_position":"` + fmt.Sprint(opened["position"]) + `"}`: `"id":"` + id + `"`,
		`query.obligations {"subject":"ada"}`:                                                       `"due`,
		`query.deadlines {"limit":"5"}`:                                                             `"summary"`,
		`query.due {"rule":"cn.policy.request_reply","start":"2026-03-02T10:00:00+08:00"}`:          `2026-03-`,
		`query.policies {}`: `"in_force":true`,
		`query.void-preview {"records":["` + fmt.Sprint(opened["event_id"]) + `"]}`: `{`,
		`query.app {}`: `"handler":"Demo Ltd"`,
	} {
		name, body, _ := strings.Cut(subject, " ")
		if out := u.run("req", "consent.v1.smartkey."+name, body, "--raw"); !strings.Contains(out, want) || strings.Contains(out, "urn:consentledger:problem") {
			t.Errorf("%s: %s, want %s", subject, out, want)
		}
	}
	out := u.run("req", "consent.v1.smartkey.query.request", `{"id":"nobody"}`)
	if !strings.Contains(out, "Nats-Service-Error-Code: 404") || !strings.Contains(out, "there is no request of that id") {
		t.Errorf("a request that is not there: %s", out)
	}
	if out := u.run("req", "consent.v1.nobody.group", event("g", "consent.withdrawn", ada, `{"all":true}`)); !strings.Contains(out, "no app is registered with this group") {
		t.Errorf("a group that is not there: %s", out)
	}
}

// Every subject of operators is a route of HTTP, with the same parameters.
func TestOperatorsSubjectsAreRoutesOfHTTP(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), false)
	resp, err := http.Get(r.http + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	for _, route := range operator.Routes {
		op, has := doc.Paths[route.Path][strings.ToLower(route.Method)]
		if !has {
			t.Errorf("%s leads to %s %s, which is no route", route.Subject, route.Method, route.Path)
		}
		var inPath, inQuery []string
		for _, p := range op.Parameters {
			if p.In == "query" && p.Name != "dry_run" { // over NATS it is a subject
				inQuery = append(inQuery, p.Name)
			} else if p.In == "path" && p.Name != "app" && p.Name != "group" {
				inPath = append(inPath, p.Name)
			}
		}
		slices.Sort(inQuery)
		said := slices.Sorted(slices.Values(route.InQuery))
		if !slices.Equal(inPath, route.InPath) || !slices.Equal(inQuery, said) {
			t.Errorf("%s has %v and %v in its URL, HTTP has %v and %v", route.Subject, route.InPath, said, inPath, inQuery)
		}
	}
}
