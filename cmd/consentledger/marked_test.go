package main

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
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

// leaks fails for each part of a text that is of a person.
func leaks(t *testing.T, what, text string) {
	t.Helper()
	for _, word := range ofPersons {
		if at := strings.Index(text, word); at >= 0 {
			t.Errorf("%s: %q of a person: ...%q", what, word, text[max(0, at-100):min(len(text), at+100)])
		}
	}
}

// TestTheDemoShowsNothingOfPersonsWhereNobodyLooksForIt: the whole demo, with marked persons
// in it who say, ask and are refused over every road, leaves nothing of anybody in the log of
// the program, in traces and metrics, in subjects of NATS, in names of files, in what is
// answered to who is refused, and in what a SIEM is told.
func TestTheDemoShowsNothingOfPersonsWhereNobodyLooksForIt(t *testing.T) {
	t.Parallel()
	to, dir := receive(t), filepath.Join(t.TempDir(), "data-demo")
	env := os.Environ()
	for name, value := range sentTo(to) {
		env = append(env, name+"="+value)
	}
	r := launchIn(t, env, build(t), "serve", "--demo", "--data", dir, "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--metrics")
	nc, err := nats.Connect(r.nats)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	heard := hearAll(t, nc)
	eventually(t, "withdrawn", func() string { return may(t, &r.running, "user-2", "personalisation") })

	r.sayMarked(t)
	r.refuseMarked(t, nc)
	siem, err := cli(t, &r.running, "siem", "export")
	if err != nil {
		t.Fatal(err)
	}
	metrics := scrape(t, &r.running)
	r.stop(t)

	to.mu.Lock()
	traced, spans := to.raw.String(), len(to.all)
	to.mu.Unlock()
	logged := r.stderr.String()
	if spans < 100 || !strings.Contains(metrics, "consentledger_") || heard.count() < 20 || !strings.Contains(logged, "level=") {
		t.Errorf("too little to look at: %d spans, %d subjects, log %q", spans, heard.count(), logged)
	}
	leaks(t, "the log", logged)
	leaks(t, "traces and metrics by OTLP", traced)
	leaks(t, "/metrics", metrics)
	leaks(t, "subjects of NATS", heard.text())
	leaks(t, "names of files", namesBelow(t, dir))
	leaks(t, "what a SIEM is told", siem)
	toldOfAll(t, dir, siem)
}

// heardSubjects are those on which anything was said.
type heardSubjects struct {
	mu  sync.Mutex
	all map[string]bool
}

// hearAll listens to every subject of an account, JetStream's own among them.
func hearAll(t *testing.T, nc *nats.Conn) *heardSubjects {
	t.Helper()
	h := &heardSubjects{all: map[string]bool{}}
	_, err := nc.Subscribe(">", func(m *nats.Msg) {
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
	var all []string
	for subject := range h.all {
		all = append(all, subject)
	}
	return strings.Join(all, "\n")
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
	js, err := jetstream.New(nc)
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
