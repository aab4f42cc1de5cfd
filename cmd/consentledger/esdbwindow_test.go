package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"consentledger/cmd/internal/server"
)

// A replayed event, of what is compared.
type replayed struct {
	ID     string `json:"event_id"`
	Stream string `json:"stream"`
}

// TestClientsOfEventStoreDBReadTheLedger reads a running ledger with two
// clients that are not ours, in another language, each connecting at once and
// by gossip.
func TestClientsOfEventStoreDBReadTheLedger(t *testing.T) {
	t.Parallel()
	r := startWith(t, server.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", ESDB: "127.0.0.1:0"})
	run := func(args ...string) string {
		t.Helper()
		out, err := cli(t, r, args...)
		if err != nil {
			t.Fatalf("%v: %s %v", args, out, err)
		}
		return out
	}
	record := func(event, data string) {
		t.Helper()
		run("record", "--app", "smartkey", "--type", event, "--subject", "ada", "--data", data)
	}
	run("app", "add", "smartkey", "--handler", "Demo Ltd")
	run("policy", "publish", "--app", "smartkey", "smartkey/policy.yaml")
	for range 3 {
		record("consent.given", `{"act":"agree-popup"}`)
		record("consent.withdrawn", `{"all":true}`)
	}

	modules := nodeModules(t)
	for _, client := range []string{"@eventstore/db-client", "@kurrent/kurrentdb-client"} {
		for _, scheme := range []string{"esdb", "esdb+discover"} {
			t.Run(client+" "+scheme, func(t *testing.T) {
				events := replayedIn(t, run("replay", "--app", "smartkey", "-o", "jsonl", "--reason", "audit"))
				stream := streamOf(t, events, "subject-")
				c := exec.CommandContext(t.Context(), "node", "testdata/window.js", client, scheme+"://"+r.esdb+"?tls=false", stream)
				c.Env = append(os.Environ(), "NODE_PATH="+modules)
				checkWindow(t, c, events, stream, func() { record("consent.given", `{"act":"agree-popup"}`) })
			})
		}
	}
}

// streamOf returns the stream that begins with a word.
func streamOf(t *testing.T, events []replayed, word string) string {
	t.Helper()
	i := slices.IndexFunc(events, func(e replayed) bool { return strings.HasPrefix(e.Stream, word) })
	if i < 0 {
		t.Fatalf("no stream begins with %q: %v", word, events)
	}
	return events[i].Stream
}

func replayedIn(t *testing.T, lines string) []replayed {
	t.Helper()
	var events []replayed
	for line := range strings.Lines(lines) {
		var e replayed
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		events = append(events, e)
	}
	return events
}

// checkWindow runs a client and holds what it saw to what replay showed. Write
// records one more event of the stream.
func checkWindow(t *testing.T, c *exec.Cmd, events []replayed, stream string, write func()) {
	t.Helper()
	var all, one []string
	for _, e := range events {
		all = append(all, e.ID)
		if e.Stream == stream {
			one = append(one, e.ID)
		}
	}
	reversed := func(ids []string) []string {
		ids = slices.Clone(ids)
		slices.Reverse(ids)
		return ids
	}
	want := map[string][]string{
		"all": all, "all backwards": reversed(all), "stream": one, "stream backwards": reversed(one),
		"subscribed to the stream": one, "subscribed to all": one, "resumed": one[len(one)/2+1:],
	}

	var complaints bytes.Buffer
	c.Stderr = &complaints
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Wait(); err != nil {
			t.Errorf("%v: %s", err, &complaints)
		}
	}()

	saw := map[string]bool{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var said struct {
			Step, Error string
			IDs         []string
		}
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			continue // the client's own talk
		}
		saw[said.Step] = true
		switch said.Step {
		case "caught up":
			write()
		case "appended":
			if said.Error != "access-denied" {
				t.Errorf("an append got %q", said.Error)
			}
		case "live":
			if len(said.IDs) != 1 || slices.Contains(all, said.IDs[0]) {
				t.Errorf("live: %v", said.IDs)
			}
		default:
			// Of all that is in the store, replay shows one app's events.
			got := slices.DeleteFunc(said.IDs, func(id string) bool { return !slices.Contains(all, id) })
			if !slices.Equal(got, want[said.Step]) {
				t.Errorf("%s: %d events, want %d:\n%v\n%v", said.Step, len(got), len(want[said.Step]), got, want[said.Step])
			}
		}
	}
	for _, step := range []string{
		"all", "all backwards", "stream", "stream backwards", "subscribed to the stream", "subscribed to all",
		"resumed", "appended", "caught up", "live",
	} {
		if !saw[step] {
			t.Errorf("%q did not come", step)
		}
	}
}

// nodeModules returns where the npm packages are that tests use.
func nodeModules(t *testing.T) string {
	t.Helper()
	var log bytes.Buffer
	c := exec.Command("go", "run", "consentledger/cmd/internal/nodetools")
	c.Stderr = &log
	path, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	return strings.TrimSpace(string(path))
}

func TestAWindowWhereNothingCanListen(t *testing.T) {
	t.Parallel()
	err := server.Run(t.Context(), server.Config{
		Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", ESDB: "127.0.0.1:nowhere",
	}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "--esdb-listen") {
		t.Errorf("serve ended with %v", err)
	}
}
