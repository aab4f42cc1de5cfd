package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore/freeport"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
)

// verbose returns what /readyz?verbose says of the checks that are not well.
func verbose(t *testing.T, r *running) (red string) {
	t.Helper()
	_, v := get(t, r.http+"/readyz?verbose")
	checks, _ := v["checks"].([]any)
	for _, c := range checks {
		if c := c.(map[string]any); c["ok"] != true {
			red += fmt.Sprint(c["name"], ": ", c["detail"], "\n")
		}
	}
	return red
}

// What cannot be recorded and whose sender asked for no answer is kept, whichever
// subject it was sent to, and can be sent again.
func TestWhatNobodyCanBeToldIsKept(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), false)
	furnish(t, r)
	nc, err := nats.Connect(r.nats, nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	no := func(id, data string) []byte {
		return []byte(`{"specversion":"1.0","id":"` + id + `","source":"shell","type":"consent.withdrawn","subject":"ada","data":` + data + `}`)
	}
	for subject, body := range map[string][]byte{
		"consent.v1.smartkey.record":                no("1", `{"purposes":["nosuch"]}`),
		"consent.v1.acme.group":                     no("2", `{"all":true}`), // no app has this group yet
		"consent.v1.smartkey.operate":               []byte("ada says no"),
		"consent.v1.smartkey.operate.policy":        []byte("no policy"), // no event: nothing is kept
		"consent.v1.smartkey.query.state":           []byte("no question"),
		"consent.v1.smartkey.in.consent.withdrawn":  []byte("ada says no"),
		"consent.v1.smartkey.in.consent.withdrawn2": []byte("ada says no"),
	} {
		if err := nc.Publish(subject, body); err != nil {
			t.Fatal(err)
		}
	}
	var list string
	eventually(t, "5", func() string {
		if list, err = cli(t, r, "rejected", "list", "-o", "jsonl"); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(strings.Count(list, "\n"))
	})
	if strings.Count(list, `"may_be_no":true`) != 5 {
		t.Errorf("kept: %s", list)
	}
	if out, err := cli(t, r, "app", "add", "smartkey", "--handler", "Demo Ltd", "--group", "acme"); err != nil {
		t.Fatal(out, err)
	}
	for line := range strings.Lines(list) {
		var m struct {
			Seq  any
			App  string
			Code string
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		seq := strings.Trim(fmt.Sprint(m.Seq), `"`)
		out, err := cli(t, r, "rejected", "retry", seq)
		if isGroup := m.App == "invalid"; isGroup != (err == nil) || isGroup && !strings.Contains(out, "event_id") {
			t.Errorf("%+v tried again: %s, %v", m, out, err)
		}
	}
	if got := may(t, r, "ada", "personalisation"); got != "withdrawn" {
		t.Errorf("what was said to the group, tried again: %s", got)
	}
}

func TestTheNATSToolCountsErrorsAndRealTimes(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), false)
	furnish(t, r)
	u := newNATSUser(t, "--server", r.nats)
	for i := range 2 {
		u.request("consent.v1.smartkey.record", given(fmt.Sprint(i), "ada"))
		u.request("consent.v1.smartkey.record", "no event")
		u.request("consent.v1.smartkey.query.state", `{"subject":"ada"}`)
		u.request("consent.v1.smartkey.operate", "no event")
	}
	for service, want := range map[string]map[string][2]int{
		"consentledger":           {"record": {4, 2}, "check": {0, 0}},
		"consentledger-operators": {"query-state": {2, 0}, "operate": {2, 2}},
	} {
		var stats micro.Stats
		if err := json.Unmarshal([]byte(u.run("req", "$SRV.STATS."+service, "", "--raw")), &stats); err != nil {
			t.Fatal(err)
		}
		for _, e := range stats.Endpoints {
			if w, asked := want[e.Name]; asked && ([2]int{e.NumRequests, e.NumErrors} != w || w[0] > 0 && e.AverageProcessingTime <= 0) {
				t.Errorf("%s: %+v, want %v", service, e, w)
			}
		}
	}
	if out := u.run("service", "stats", "consentledger"); !strings.Contains(out, "record") {
		t.Errorf("service stats: %s", out)
	}
}

// The directory of NATS is gone, and with it what it had acknowledged: health
// says so, and the log of every app has it.
func TestALostDirectoryOfNATSIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, dir, false)
	furnish(t, r)
	u := newNATSUser(t, "--server", r.nats)
	for i := range 3 {
		u.run("pub", "-J", "consent.v1.smartkey.in.consent.given", given(fmt.Sprint(i), "ada"))
	}
	eventually(t, "given", func() string { return u.status("ada") })
	if red := verbose(t, r); red != "" {
		t.Errorf("before: %s", red)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, dir, false)
	if red := verbose(t, r); red != "" {
		t.Errorf("after a restart: %s", red)
	}
	if err := errors.Join(r.stop(), os.RemoveAll(filepath.Join(dir, "nats"))); err != nil {
		t.Fatal(err)
	}

	r = start(t, dir, false)
	eventually(t, "true", func() string {
		return fmt.Sprint(strings.Contains(verbose(t, r), "stream CONSENT_IN is another one than was known: what it acknowledged after message 3, if anything, is gone"))
	})
	eventually(t, "1", func() string { return alarmsNamed(t, r, server.LostAlarm) })
	if code, v := get(t, r.http+"/readyz"); code != http.StatusOK || v["ok"] != true {
		t.Errorf("the ledger can answer, and is said to be not ready: %d %v", code, v)
	}
	if out, err := cli(t, r, "alarms", "-o", "csv"); exit.Code(t.Context(), err) != exit.CodeAlarm ||
		!strings.Contains(out, "messages-lost,,1,") || !strings.Contains(out, "after message 3, if anything, is gone") {
		t.Errorf("alarms: %s, %v", out, err)
	}
	eventually(t, "true", func() string {
		out, err := cli(t, r, "replay", "--type", "messages.lost", "-o", "jsonl")
		return fmt.Sprint(err == nil && strings.Contains(out, "made-anew") && strings.Contains(out, "smartkey"))
	})
	list, err := cli(t, r, "rejected", "list", "-o", "csv")
	if err != nil || !strings.Contains(list, "messages-lost") || !strings.Contains(list, "CONSENT_IN after 3") {
		t.Errorf("listed: %s, %v", list, err)
	}
	if _, err := cli(t, r, "rejected", "mark-seen", "1", "--why", "the apps send again"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "", func() string { return verbose(t, r) + alarmsNamed(t, r, server.LostAlarm) })
}

// alarmsNamed returns the counts of the alarms of a name.
func alarmsNamed(t *testing.T, r *running, name string) (counts string) {
	t.Helper()
	_, v := get(t, r.http+"/v1/alarms")
	for _, a := range v["alarms"].([]any) {
		if a := a.(map[string]any); a["name"] == name {
			counts += fmt.Sprint(a["count"])
		}
	}
	return counts
}

// Somebody deletes the streams while the demo runs: the process goes on, and what
// they may have held is an alarm.
func TestADeletedStreamEndsNothing(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), true)
	u := newNATSUser(t, "--server", r.nats)
	for _, name := range []string{"CONSENT_IN", "CONSENT_OUT", "CONSENT_REJECTED"} {
		u.run("stream", "rm", "-f", name)
	}
	eventually(t, "true", func() string {
		return fmt.Sprint(strings.Contains(verbose(t, r), "stream CONSENT_IN is another one than was known"))
	})
	eventually(t, "1", func() string { return alarmsNamed(t, r, server.LostAlarm) })
	eventually(t, "intake losses", func() string { name, _, _ := strings.Cut(verbose(t, r), ":"); return name })
	u.run("pub", "-J", "consent.v1.smartkey.in.consent.given", given("1", "ada"))
	eventually(t, "given", func() string { return u.status("ada") })
}

// Whoever waits until the ledger is ready and asks over NATS gets an answer.
func TestReadyMeansThatNATSAnswers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, dir, false)
	furnish(t, r)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c := server.Config{Data: dir, HTTP: freeport.Address(t), NATSListen: freeport.Address(t)}
		asked := make(chan error, 1)
		go func() { asked <- askWhenReady(t, c) }()
		r := startWith(t, c)
		if err := <-asked; err != nil {
			t.Error(err)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func askWhenReady(t *testing.T, c server.Config) error {
	for t.Context().Err() == nil {
		resp, err := http.Get("http://" + c.HTTP + "/readyz")
		if err != nil {
			continue // nobody listens yet
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			continue
		}
		nc, err := nats.Connect("nats://"+c.NATSListen, nats.Timeout(patience))
		if err != nil {
			return err
		}
		defer nc.Close()
		for _, subject := range []string{"check", "query.state"} {
			if _, err := nc.RequestWithContext(t.Context(), "consent.v1.smartkey."+subject, []byte(`{"subject":"ada","purpose":"personalisation"}`)); err != nil {
				return fmt.Errorf("%s: %w", subject, err)
			}
		}
		return nil
	}
	return t.Context().Err()
}

// The simulated app begins while a stream is gone: it tries again, and only what
// the ledger refuses ends it.
func TestTheSimulatedAppTriesAgain(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), true)
	nc, err := nats.Connect(r.nats, nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var asked int
	err = demo.Simulate(ctx, nc, slog.New(slog.DiscardHandler), func(context.Context) (bool, error) {
		if asked++; asked == 1 {
			return false, jetstream.ErrStreamNotFound
		}
		cancel()
		return true, nil
	})
	if err != nil || asked != 2 {
		t.Errorf("asked %d times, %v", asked, err)
	}

	s := &demo.Simulation{Conn: nc, Log: slog.New(slog.DiscardHandler)}
	err = s.Insist(t.Context(), func(ctx context.Context) error {
		return s.Request(ctx, demo.Event("unknown", "no.such.type", "user-1", time.Time{}, demo.Object{}))
	})
	if _, refused := errors.AsType[demo.RefusedError](err); !refused {
		t.Errorf("refused: %v", err)
	}
}
