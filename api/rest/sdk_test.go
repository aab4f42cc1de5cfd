package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/api/internal/npm"
	"consentledger/api/wire"

	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/go-json-experiment/json"
)

// A sent event is what a program sets, and what the ledger must understand. The
// official SDKs for Go and JavaScript escape nothing in binary mode.
type sent struct{ ID, Source string }

// names are ids and sources as programs set them. What an encoder would have
// written is understood as its work unless the app says that its senders escape
// nothing; see raw.
var names = []struct {
	sent
	exact, raw string // the id as it is understood
}{
	{sent{"w-1", "/shop/web"}, "w-1", "w-1"},
	{sent{"100%", "/shop/web"}, "100%", "100%"},
	{sent{"x%41", "/shop/web"}, "x%41", "x%41"},
	{sent{"user%40example", "/shop/a%20b"}, "user%40example", "user%40example"},
	{sent{"%c3%a9", "/shop/web"}, "%c3%a9", "%c3%a9"},
	{sent{"a%20b", "/shop/web"}, "a b", "a%20b"},
	{sent{"%E5%BC%A0", "/shop/web"}, "张", "%E5%BC%A0"},
	{sent{`"quoted"`, "/shop/web"}, `"quoted"`, `"quoted"`},
}

const analyticsOff = `{"purposes":["analytics"]}`

// A send sends each event in both modes and returns the answers, binary first.
type send func(t *testing.T, url string, events []sent) []string

func TestWhatTheSDKsForGoAndJavaScriptSend(t *testing.T) {
	for name, send := range map[string]send{"Go": sendByGo, "JavaScript": sendByJavaScript} {
		for _, raw := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, raw %v", name, raw), func(t *testing.T) {
				h := analytics(t)
				if raw {
					h.want(200, `"binary_escapes":"raw"`, "PUT", "/v1/apps/demo", strings.Replace(appJSON, "{", `{"binary_escapes":"raw",`, 1))
				}
				s := httptest.NewServer(h.h)
				defer s.Close()
				var events []sent
				for _, c := range names {
					events = append(events, c.sent)
				}
				answers := send(t, s.URL+appEndpoint, events)
				for i, c := range names {
					want := c.exact
					if raw {
						want = c.raw
					}
					checkModes(t, c.ID, want, answers[2*i], answers[2*i+1])
				}
			})
		}
	}
}

// checkModes holds what was understood of an id in both modes to what is wanted: it
// is one event if the id is one.
func checkModes(t *testing.T, id, want, inBinary, inStructured string) {
	t.Helper()
	var binary, structured wire.Receipt
	if err := errors.Join(json.Unmarshal([]byte(inBinary), &binary), json.Unmarshal([]byte(inStructured), &structured)); err != nil {
		t.Fatal(err)
	}
	if binary.ID != want || binary.Subject != "account:ada" || binary.Outcome != wire.Recorded {
		t.Errorf("the id %q is understood as %s, want %q", id, inBinary, want)
	}
	if structured.ID != id || structured.Outcome != wire.Recorded {
		t.Errorf("in structured mode the id %q is understood as %s", id, inStructured)
	}
	if one := structured.EventID == binary.EventID; one != (want == id) {
		t.Errorf("the id %q: one event in two modes: %v", id, one)
	}
}

func sendByGo(t *testing.T, url string, events []sent) (answers []string) {
	t.Helper()
	for _, e := range events {
		x := cloudevent.New()
		x.SetID(e.ID)
		x.SetSource(e.Source)
		x.SetType("consent.withdrawn")
		x.SetSubject("account:ada")
		if err := x.SetData("application/json", []byte(analyticsOff)); err != nil {
			t.Fatal(err)
		}
		for _, ctx := range []context.Context{t.Context(), binding.WithForceStructured(t.Context())} {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := cehttp.WriteRequest(ctx, binding.ToMessage(&x), r); err != nil {
				t.Fatal(err)
			}
			answers = append(answers, answerTo(t, r))
		}
	}
	return answers
}

func answerTo(t *testing.T, r *http.Request) string {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// program sends events as the SDK's documentation does it.
const program = `
const { CloudEvent, HTTP } = require("cloudevents");
const [url, events] = [process.argv[2], JSON.parse(process.argv[3])];
(async () => {
  const answers = [];
  for (const { ID, Source } of events) {
    const event = new CloudEvent({ id: ID, source: Source, type: "consent.withdrawn", subject: "account:ada",
      datacontenttype: "application/json", time: "2026-03-02T09:30:00Z", data: { purposes: ["analytics"] } });
    for (const message of [HTTP.binary(event), HTTP.structured(event)]) {
      const answer = await fetch(url, { method: "POST", headers: message.headers, body: message.body });
      answers.push(await answer.text());
    }
  }
  process.stdout.write(JSON.stringify(answers));
})();
`

// sendByJavaScript sends with the SDK of npm, which the first use installs.
func sendByJavaScript(t *testing.T, url string, events []sent) (answers []string) {
	t.Helper()
	modules := npm.Modules(t)
	script := filepath.Join(t.TempDir(), "send.cjs")
	if err := os.WriteFile(script, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "node", script, url, string(list))
	c.Env = append(os.Environ(), "NODE_PATH="+modules)
	var log bytes.Buffer
	c.Stderr = &log
	out, err := c.Output()
	if err != nil {
		t.Fatalf("node: %v: %s", err, &log)
	}
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != 2*len(events) {
		t.Fatalf("%v: %s", err, out)
	}
	return answers
}
