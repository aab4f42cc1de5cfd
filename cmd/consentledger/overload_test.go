package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/rest"
	"consentledger/api/wire/wiretest"
	"consentledger/cmd/internal/server"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// A flood is many clients who send events of their own, each once.
type flood struct {
	mu       sync.Mutex
	accepted map[string]bool // the event ids of receipts
	refused  int
	wrong    []string
}

// took notes a receipt. Two receipts of two events are of two records.
func (f *flood) took(body []byte) {
	var r struct {
		ID string `json:"event_id"`
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := json.Unmarshal(body, &r); err != nil || r.ID == "" || f.accepted[r.ID] {
		f.wrong = append(f.wrong, fmt.Sprintf("a receipt: %s", body))
	}
	f.accepted[r.ID] = true
}

// turned notes a refusal, which says what it is, that nothing was done, and when to come
// again.
func (f *flood) turned(after string, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused++
	if after == "" || !wiretest.Holds(string(body), `"code":"overloaded"`) || !wiretest.Holds(string(body), `"outcome":"refused"`) {
		f.wrong = append(f.wrong, fmt.Sprintf("a refusal: Retry-After %q, %s", after, body))
	}
}

func (f *flood) event(road string, client, n int) []byte {
	return fmt.Appendf(nil, `{"specversion":"1.0","id":"%s-%d-%d","source":"smartkey/android","type":"consent.given","subject":"flood-%s-%d",`+
		`"data":{"act":"agree-popup","locale":"en"}}`, road, client, n, road, client)
}

func (f *flood) overHTTP(r *running, client, events int) {
	for n := range events {
		resp, err := http.Post(r.http+"/v1/apps/smartkey/events", "application/cloudevents+json", bytes.NewReader(f.event("http", client, n)))
		if err != nil {
			f.mu.Lock()
			f.wrong = append(f.wrong, err.Error())
			f.mu.Unlock()
			return
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusServiceUnavailable {
			f.turned(resp.Header.Get("Retry-After"), body)
			continue
		}
		f.took(body)
	}
}

func (f *flood) overNATS(nc *nats.Conn, client, events int) {
	for n := range events {
		m, err := nc.Request("consent.v1.smartkey.record", f.event("nats", client, n), time.Minute)
		if err != nil {
			f.mu.Lock()
			f.wrong = append(f.wrong, err.Error())
			f.mu.Unlock()
			return
		}
		if m.Header.Get(micro.ErrorCodeHeader) == "503" {
			f.turned(m.Header.Get("Retry-After"), m.Data)
			continue
		}
		f.took(m.Data)
	}
}

// limitsOf returns what the server says of its limits.
func limitsOf(t *testing.T, r *running) rest.Limits {
	t.Helper()
	resp, err := http.Get(r.http + "/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var s rest.StatusReport
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil || s.Limits == nil {
		t.Fatalf("status: %v, %+v", err, s)
	}
	return *s.Limits
}

func classOf(t *testing.T, l rest.Limits, over, class string) rest.ClassLimit {
	t.Helper()
	for _, c := range l.Classes {
		if c.Over == over && c.Class == class {
			return c
		}
	}
	t.Fatalf("there is no class %s over %s: %+v", class, over, l)
	return rest.ClassLimit{}
}

// Ten times as many clients as it takes at once: what it accepts is recorded once each, what
// it refuses is told so, what lies in the stream waits, and it stays below its ceiling.
func TestTenTimesTheLoad(t *testing.T) {
	const calm, events = 8, 6 // places and line of records
	r := startWith(t, server.Config{
		Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0",
		Limits: server.Limits{AtOnce: map[string]int{"record": calm / 2, "nats-record": calm / 2}},
	})
	for _, verb := range [][]string{{"app", "add", "smartkey", "--handler", "Flood"}, {"policy", "publish", "smartkey/policy.yaml", "--app", "smartkey"}} {
		if out, err := cli(t, r, verb...); err != nil {
			t.Fatalf("%v: %v %s", verb, err, out)
		}
	}
	nc, err := nats.Connect(r.nats, nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream(nats.MaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}

	f := &flood{accepted: map[string]bool{}}
	var all sync.WaitGroup
	for client := range 10 * calm {
		all.Go(func() { f.overHTTP(r, client, events) })
		all.Go(func() { f.overNATS(nc, client, events) })
	}
	const inStream = 50
	for n := range inStream {
		if _, err := js.Publish("consent.v1.smartkey.in.consent.given", f.event("stream", n, 0)); err != nil {
			t.Fatal(err)
		}
	}
	health := 0
	for range 20 {
		if resp, err := http.Get(r.http + "/livez"); err == nil && resp.StatusCode == http.StatusOK {
			resp.Body.Close()
			health++
		}
	}
	all.Wait()
	if len(f.wrong) > 0 {
		t.Fatalf("%d answers are wrong: %s", len(f.wrong), f.wrong[0])
	}
	if f.refused == 0 || len(f.accepted) == 0 || health != 20 {
		t.Errorf("%d were accepted, %d refused, health answered %d of 20", len(f.accepted), f.refused, health)
	}

	recorded := func() (ids []string) {
		out, err := cli(t, r, "replay", "--app", "smartkey", "--type", "consent.given", "-o", "jsonl")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out) {
			var e struct {
				ID string `json:"event_id"`
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			ids = append(ids, e.ID)
		}
		return ids
	}
	// What was accepted is there, and all that the stream held arrives; nothing else does.
	ids := recorded()
	for len(ids) < len(f.accepted)+inStream {
		ids = recorded()
	}
	slices.Sort(ids)
	if n := len(slices.Compact(slices.Clone(ids))); n != len(ids) || n != len(f.accepted)+inStream {
		t.Errorf("%d records have %d ids; %d were accepted, and %d came by the stream", len(ids), n, len(f.accepted), inStream)
	}
	for id := range f.accepted {
		if _, has := slices.BinarySearch(ids, id); !has {
			t.Errorf("%s was accepted, and is not in the log", id)
		}
	}

	l := limitsOf(t, r)
	if over, by := classOf(t, l, "http", "record"), classOf(t, l, "nats", "record"); over.Refused+by.Refused < int64(f.refused) || over.Working+by.Working > calm {
		t.Errorf("it refused %d, and says %+v, %+v", f.refused, over, by)
	}
	if l.Memory == 0 || l.Memory >= l.MemoryCeiling {
		t.Errorf("it has %d bytes, and its ceiling is %d", l.Memory, l.MemoryCeiling)
	}
}

// While heavy work takes every place of its own, questions are answered as ever, and more
// heavy work is refused.
func TestReportsDoNotBlockChecks(t *testing.T) {
	r := startWith(t, server.Config{
		Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Demo: true,
		Limits: server.Limits{AtOnce: map[string]int{"heavy": 2}},
	})
	// Eight ask for reports without end: two work on it, two wait, and the others come again.
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	defer asking.Wait()
	defer stop()
	var refused, wrong atomic.Int64
	for range 8 {
		asking.Go(func() {
			for ctx.Err() == nil {
				switch status, after := askReport(ctx, r); {
				case status == http.StatusServiceUnavailable && after != "":
					refused.Add(1)
				case status != http.StatusOK && ctx.Err() == nil:
					wrong.Add(1)
				}
			}
		})
	}
	eventually(t, "refused", func() string {
		if refused.Load() == 0 {
			return "nobody is refused"
		}
		return "refused"
	})
	for range 50 {
		if got := may(t, r, "user-1", "personalisation"); got == "unknown" {
			t.Fatal("a check beside them has no answer")
		}
	}
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d were neither answered nor told when to come again", n)
	}
}

// askReport asks for a report, and returns the status and when to come again.
func askReport(ctx context.Context, r *running) (status int, after string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.http+"/v1/apps/smartkey/reports/deadlines", nil)
	if err != nil {
		return 0, ""
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get("Retry-After")
}

// recordsAll sends withdrawals of one person, one after the other, and returns the codes of
// those that were not recorded.
func recordsAll(t *testing.T, nc *nats.Conn, app, person string, many int) (codes []string) {
	t.Helper()
	for n := range many {
		m, err := nc.Request("consent.v1."+app+".record", withdrawalOf(person, fmt.Sprint(n)), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if code := m.Header.Get(micro.ErrorCodeHeader); code != "" {
			codes = append(codes, code)
		}
	}
	return codes
}

func withdrawalOf(person, id string) []byte {
	return fmt.Appendf(nil, `{"specversion":"1.0","id":"%s-%s","source":"test","type":"consent.withdrawn","subject":"%s","data":{"all":true}}`,
		person, id, person)
}

// refusedOverNATS returns how many events the server says that it refused over NATS.
func refusedOverNATS(g *guarded) int64 {
	g.Helper()
	var s rest.StatusReport
	_, text := g.ask(g.admin, "GET", "/v1/status", "")
	if err := json.Unmarshal([]byte(text), &s); err != nil || s.Limits == nil {
		g.Fatalf("status: %v, %s", err, text)
	}
	return classOf(g.T, *s.Limits, "nats", "record").Refused
}

// Of the requests over NATS one principal holds no more than its part, whatever it sends, and
// one app no more than its own, whatever inboxes its requests name. So others are answered.
func TestOnePrincipalOnNATSLeavesPlacesToOthers(t *testing.T) {
	g := guardAs(t, server.Config{
		Data: t.TempDir(), Access: server.Access{Authenticate: true},
		Limits: server.Limits{AtOnce: map[string]int{"nats-record": 32}},
	})
	greedy := g.connect(g.keys[auth.Writer])
	neighbour := g.connect(g.issue("--role", "app-writer", "--app", "shop", "--days", "1"))
	other := g.connect(g.issue("--role", "app-writer", "--app", "bank", "--days", "1"))

	// One sends more than there are places, and is told that it is its own part that is full.
	var refused atomic.Int64
	var wrong atomic.Pointer[string]
	stop := make(chan struct{})
	var all sync.WaitGroup
	for client := range 64 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				m, err := greedy.Request("consent.v1.shop.record", withdrawalOf("ada", fmt.Sprint(client, "-", n)), time.Minute)
				if err != nil {
					text := err.Error()
					wrong.Store(&text)
					return
				}
				switch code := m.Header.Get(micro.ErrorCodeHeader); code {
				case "":
				case "429":
					refused.Add(1)
				default:
					text := code + " " + string(m.Data)
					wrong.Store(&text)
				}
			}
		})
	}
	eventually(t, "refused", func() string {
		if refused.Load() == 0 && wrong.Load() == nil {
			return "nobody is refused"
		}
		return "refused"
	})
	if codes := recordsAll(t, neighbour, "shop", "bob", 30); len(codes) > 0 {
		t.Errorf("another principal of the app is refused beside it: %v", codes)
	}
	if codes := recordsAll(t, other, "bank", "bob", 30); len(codes) > 0 {
		t.Errorf("another app is refused beside it: %v", codes)
	}
	close(stop)
	all.Wait()
	if text := wrong.Load(); text != nil {
		t.Errorf("who sends too much is told %s", *text)
	}

	// By names of inboxes that are nobody's it gets no more than what its app may hold.
	before := refusedOverNATS(g)
	for n := 0; ; n++ {
		for i := range 200 {
			err := greedy.PublishRequest("consent.v1.shop.record", fmt.Sprintf("_INBOX.forged%d.x", i), withdrawalOf("ada", fmt.Sprint("f", n, "-", i)))
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := greedy.Flush(); err != nil {
			t.Fatal(err)
		}
		if codes := recordsAll(t, other, "bank", fmt.Sprint("carl", n), 3); len(codes) > 0 {
			t.Fatalf("another app is refused beside one that names inboxes of nobody: %v", codes)
		}
		if n >= 5 && refusedOverNATS(g) > before {
			break
		}
	}
}
