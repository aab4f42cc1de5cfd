package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/cmd/internal/demo"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What the demo's own persons are and say, and what this test's say: every word that one of
// its senders chooses holds one of the last two.
var ofPersons = []string{"Pixel 7", "203.0.113.9", "tablet-5", mark, "MARKED"}

// leaks fails for each part of a text that is of a person, also where bytes are shown in
// hexadecimal digits.
func leaks(t *testing.T, what, text string) {
	t.Helper()
	for _, word := range ofPersons {
		for _, shown := range []string{word, hex.EncodeToString([]byte(word))} {
			if at := strings.Index(text, shown); at >= 0 {
				t.Errorf("%s: %q of a person: ...%q", what, word, text[max(0, at-100):min(len(text), at+100)])
			}
		}
	}
}

// TestTheDemoShowsNothingOfPersonsWhereNobodyLooksForIt: the whole demo, with marked persons
// in it who say, ask and are refused over every road, leaves nothing of anybody in the log of
// the program, in traces and metrics, in subjects and headers of NATS, in names of files, in
// what is answered to who is refused, in what a SIEM is told, and in what the verbs of an
// administrator print. What apps are told on NATS and by webhooks has the ids that they sent,
// and nothing else of a person. docs/security.md has the table.
func TestTheDemoShowsNothingOfPersonsWhereNobodyLooksForIt(t *testing.T) {
	t.Parallel()
	to, dir := receive(t), filepath.Join(t.TempDir(), "data-demo")
	env := os.Environ()
	for name, value := range sentTo(to) {
		env = append(env, name+"="+value)
	}
	r := launchIn(t, env, build(t), "serve", "--demo", "--data", dir, "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0",
		"--metrics", "--log-format", "json", "--tell-consents", "--webhook-allow-private")
	nc, err := nats.Connect(r.nats, nats.Name(mark), nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	heard := hearAll(t, nc)
	hooked := hookAll(t, &r.running)
	eventually(t, "withdrawn", func() string { return may(t, &r.running, "user-2", "personalisation") })

	r.sayMarked(t)
	r.refuseMarked(t, nc)
	breakOff(t, r.nats, "PUB a 4\r\n"+mark+" is no protocol\r\n")
	breakOff(t, r.http, mark+" is no protocol\r\n\r\n")
	printed := r.administer(t, dir)
	siem, err := cli(t, &r.running, "siem", "export")
	if err != nil {
		t.Fatal(err)
	}
	metrics := scrape(t, &r.running) + scrapeAs(t, &r.running, "application/openmetrics-text; version=1.0.0")
	eventually(t, "told told", func() string { return heard.toldOf(mark+"-subject") + " " + hooked.toldOf(mark+"-subject") })
	r.stop(t)

	to.mu.Lock()
	traced, spans := to.raw.String(), len(to.all)
	to.mu.Unlock()
	logged := r.stderr.String()
	if spans < 100 || !strings.Contains(metrics, "consentledger_") || heard.count() < 20 || !strings.Contains(logged, `"level":`) {
		t.Errorf("too little to look at: %d spans, %d subjects, log %q", spans, heard.count(), logged)
	}
	plainObjects(t, logged)
	if !strings.Contains(logged, "parser ERROR") {
		t.Errorf("the log says nothing of a connection that broke the protocol: %s", logged)
	}
	leaks(t, "the log", logged)
	leaks(t, "traces and metrics by OTLP", traced)
	leaks(t, "/metrics", metrics)
	leaks(t, "subjects of NATS", heard.text())
	leaks(t, "what the ledger says on NATS, but for ids", heard.beside.String())
	leaks(t, "what a webhook is sent, but for ids", hooked.beside.String())
	leaks(t, "names of files", namesBelow(t, dir))
	leaks(t, "what a SIEM is told", siem)
	leaks(t, "what an administrator is shown", printed+r.administerStopped(t, dir))
	toldOfAll(t, dir, siem)
}

// plainObjects fails unless each line of a log is an object of plain values. A log in text has
// the same values then: only an object or a list is written in two ways.
func plainObjects(t *testing.T, logged string) {
	t.Helper()
	for line := range strings.Lines(logged) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Errorf("a line of the log is no object: %s", line)
		}
		for name, v := range members {
			switch v.(type) {
			case string, float64, bool:
			default:
				t.Errorf("%s of a line of the log is no plain value: %s", name, line)
			}
		}
	}
}

// sentID is the id of a person as the app sent it, which what is told to the app has.
var sentID = regexp.MustCompile(`"person": ?"(?:account|device):([^"]*)"`)

// told is what was told to an app: what of it is beside the ids, and the ids.
type told struct {
	mu     sync.Mutex
	beside strings.Builder
	ids    map[string]bool
}

func (o *told) take(header any, body []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range sentID.FindAllSubmatch(body, -1) {
		o.ids[string(id[1])] = true
	}
	fmt.Fprintf(&o.beside, "%v %s\n", header, sentID.ReplaceAll(body, nil))
}

// toldOf says "told" once something of a person was.
func (o *told) toldOf(id string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ids[id] {
		return "told"
	}
	return ""
}

// hookAll adds a webhook that is sent all there is, and takes it.
func hookAll(t *testing.T, r *running) *told {
	t.Helper()
	o := &told{ids: map[string]bool{}}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		o.take(fmt.Sprint(req.URL, req.Header), body)
	}))
	t.Cleanup(receiver.Close)
	if out, err := cli(t, r, "webhook", "add", "--app", demo.App, receiver.URL+"/consents", "--type",
		"consent.given,consent.refused,consent.withdrawn,consent.expired,consent.stale,obligation.opened,obligation.moved,"+
			"obligation.at_risk,obligation.overdue,obligation.met,obligation.voided"); err != nil {
		t.Fatal(out, err)
	}
	return o
}

// heardSubjects are those on which anything was said, and what the ledger said on them.
type heardSubjects struct {
	told
	all map[string]bool
}

// hearAll listens to every subject of an account, JetStream's own among them. What apps send,
// and what they are answered, is theirs.
func hearAll(t *testing.T, nc *nats.Conn) *heardSubjects {
	t.Helper()
	h := &heardSubjects{told: told{ids: map[string]bool{}}, all: map[string]bool{}}
	_, err := nc.Subscribe(">", func(m *nats.Msg) {
		ofApps := strings.HasPrefix(m.Subject, "consent.v1.") && !strings.Contains(m.Subject, ".out.") ||
			strings.HasPrefix(m.Subject, "_")
		if !ofApps {
			h.take(m.Header, m.Data)
		}

		h.mu.Lock()
		defer h.mu.Unlock()
		h.all[m.Subject], h.all[m.Reply] = true, true
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *heardSubjects) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all)
}

func (h *heardSubjects) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(slices.Collect(maps.Keys(h.all)), "\n")
}

// breakOff sends what breaks the protocol of an address, and waits until it is cut off.
func breakOff(t *testing.T, address, bytes string) {
	t.Helper()
	_, host, _ := strings.Cut(address, "://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(bytes)); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, conn)
}

// administer runs the verbs of who looks after a ledger, and returns what they print.
func (r *running) administer(t *testing.T, dir string) (printed string) {
	t.Helper()
	identity, to := filepath.Join(t.TempDir(), "operator.age"), filepath.Join(dir, "backups")
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"status", "-o", "json"}, {"doctor", "--data", dir, "--nats-listen", "127.0.0.1:0", "-o", "json"}, {"alarms"},
		{"webhook", "list", "--app", demo.App, "-o", "json"}, {"replay", "--app", demo.App, "-o", "json"},
		{"backup", "new-identity", identity},
		{"backup", "--log", filepath.Join(to, "log"), "--vault", filepath.Join(to, "vault"), "--recipients-file", identity + ".pub"},
	} {
		out, err := cli(t, r, args...)
		if err != nil && args[0] != "alarms" { // which fails where there are any
			t.Fatalf("%v: %s %v", args, out, err)
		}
		printed += out
	}
	for _, path := range []string{"/healthz?verbose", "/readyz?verbose", "/openapi.json", "/asyncapi.json"} {
		_, answer := get(t, r.http+path)
		printed += fmt.Sprint(answer)
	}
	return printed
}

// administerStopped is administer of a ledger that does not run.
func (r *child) administerStopped(t *testing.T, dir string) string {
	t.Helper()
	out, err := cli(t, nil, "doctor", "--data", dir, "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "-o", "json")
	if err != nil {
		t.Fatal(out, err)
	}
	return out
}

// namesBelow returns the names of all files below a directory.
func namesBelow(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, strings.TrimPrefix(path, dir))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}

// sayMarked lets marked persons say and ask what the demo takes, and an operator work on it.
func (r *running) sayMarked(t *testing.T) {
	t.Helper()
	do := func(args ...string) {
		t.Helper()
		if out, err := cli(t, r, args...); err != nil {
			t.Fatalf("%v: %s %v", args, out, err)
		}
	}
	bundle := filepath.Join(t.TempDir(), "bundle.zip")
	do("webhook", "add", "--app", demo.App, "https://receiver.invalid/consents") // whom nobody reaches, which is logged
	do("record", "--app", demo.App, "--type", "consent.given", "--subject", "device:MARKED-DEVICE", "--data", `{"act":"agree-popup"}`)
	do("request", "open", "--app", demo.App, "--subject", "MARKED-ACCOUNT", "--types", "access", "--channel", "email", "--text", "MARKED-DETAILS of mine")
	do("export", "--app", demo.App, "--subject", "MARKED-ACCOUNT", "--disclose", "--reason", "dispute", "--why", "MARKED-WHY", "--by", "MARKED-READER", "--out", bundle)
	do("record", "--app", demo.App, "--type", "consent.withdrawn", "--subject", "MARKED-ERASED", "--data", `{"all":true}`)
	do("subject", "erase", "--app", demo.App, "--subject", "MARKED-ERASED", "--reason", "subject-request", "--by", "officer", "--by", "second")

	given := marked("given", "consent.given", `"traceparent":"`+traceOf(1)+`","tracestate":"a=`+mark+`",`, `{"act":"agree-popup","details":{"device":"`+mark+`"}}`)
	post(t, r, "/v1/apps/"+demo.App+"/events", "", given)
	if status, answer := get(t, r.http+"/v1/apps/"+demo.App+"/subjects/"+mark+"-subject/consents"); status != 200 {
		t.Fatalf("%d %v", status, answer)
	}
}

// refuseMarked sends what is refused, over HTTP and NATS, and looks at what is answered.
func (r *running) refuseMarked(t *testing.T, nc *nats.Conn) {
	t.Helper()
	bad := [][]byte{
		marked("bad", mark, "", `{"details":"`+mark+`"}`), marked("bad", "consent.given", "", `{"`+mark+`":1}`),
		marked("bad", "consent.given", "", `{"act":"agree-popup","locale":"`+mark+`"}`), marked("bad", "consent.given", `"time":"`+mark+`",`, `{}`),
		[]byte(`{"id":"` + mark), []byte(mark), marked("bad", "request.received", "", `{"types":["`+mark+`"],"channel":"email"}`),
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	for i, body := range bad {
		for _, path := range []string{"/events", "/events?dry_run", "/operator/events", "/subjects/consents", "/subjects/erase", "/check"} {
			r.refused(t, "POST", "/v1/apps/"+demo.App+path, string(body))
		}
		for _, subject := range []string{"record", "check", "prompt", "operate", "query.state", "query.history", "query.request", "query.dry-run-record"} {
			m, err := nc.RequestMsg(&nats.Msg{Subject: "consent.v1." + demo.App + "." + subject, Data: body,
				Header: nats.Header{"traceparent": {traceOf(100 + i)}, "tracestate": {"a=" + mark}, "Idempotency-Key": {mark}}}, time.Minute)
			if err != nil || m.Header.Get("Nats-Service-Error-Code") == "" {
				t.Errorf("%s of %s is not refused: %+v %v", subject, body, m, err)
				continue
			}
			leaks(t, "who is refused on "+subject+" is answered", fmt.Sprint(string(m.Data), m.Header))
		}
		if _, err := js.Publish(t.Context(), "consent.v1."+demo.App+".in.consent.given", body); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{
		"/v1/apps/" + demo.App + "/subjects/MARKED.%20/consents", "/v1/apps/" + demo.App + "/requests/" + mark, "/v1/" + mark,
		"/v1/apps/" + demo.App + "/activity?from=" + mark, "/v1/blobs/" + mark, "/v1/replay?type=" + mark, "/v1/apps/" + demo.App + "?" + mark + "=1",
		"/ui/person?app=" + demo.App + "&lang=" + mark,
	} {
		r.refused(t, "GET", path, "")
	}

	// What came by JetStream is refused later.
	eventually(t, "all", func() string {
		_, list := get(t, r.http+"/v1/rejected")
		if messages, is := list["rejected"].([]any); is && len(messages) >= len(bad) {
			return "all"
		}
		return fmt.Sprint(list)
	})
}

// refused sends a request, and looks at what is answered if it is refused.
func (r *running) refused(t *testing.T, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.http+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Tracestate": {"a=" + mark}, "Idempotency-Key": {mark}, "User-Agent": {mark}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 400 {
		leaks(t, method+" "+path+" is answered", fmt.Sprint(string(text), resp.Header))
	}
}

// toldOfAll fails unless the export for a SIEM tells of what happened in a directory, and of
// nothing that was said in it of anybody, be it by the demo's persons or by this test's.
func toldOfAll(t *testing.T, dir, text string) {
	t.Helper()
	codes := map[string]bool{}
	for _, e := range siemEvents(t, text) {
		codes[e.Metadata.EventCode] = true
	}
	for _, code := range []string{
		"consent.given", "consent.withdrawn", "data.accessed", "request.received", "policy.published", "erasure.ordered", "subject.erased",
	} {
		if !codes[code] {
			t.Errorf("the export does not tell of %s", code)
		}
	}

	marks, found := 0, 0
	for _, said := range saidOf(t, dir) {
		if strings.Contains(said, "MARKED") || strings.Contains(said, mark) {
			marks++
		}
		if len(said) < 4 || slices.Contains([]string{demo.App, "account", "device"}, said) {
			continue // what the ledger itself writes beside an id
		}
		found++
		if strings.Contains(text, said) {
			t.Errorf("the export holds what was said of a person: %q", said)
		}
	}
	if marks < 7 || found < 20 {
		t.Errorf("%d marked texts of %d", marks, found)
	}
}
