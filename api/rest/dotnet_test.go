package rest

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"consentledger/api/wire"
	"consentledger/api/wire/wiretest"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec/policydoc"

	"github.com/go-json-experiment/json"
)

// A recorded request is one that the CloudEvents SDK for .NET wrote. Meant is what
// the program set.
type recorded struct {
	Name, Mode, Meant string
	Headers           map[string]string
	Body              string
	Refused           string `json:"refused_by_sender"` // nothing was sent
}

// recordedRequests are those in testdata, whose first line says where they are
// from.
func recordedRequests(t *testing.T) (list []recorded) {
	t.Helper()
	file, err := os.ReadFile("testdata/dotnet-requests.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(file))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		if r.Name != "" {
			list = append(list, r)
		}
	}
	if len(list) != 101 {
		t.Fatalf("there are %d requests", len(list))
	}
	return list
}

func (r recorded) headers() (lines []string) {
	if r.Headers["content-type"] == "" {
		lines = append(lines, "Content-Type: ") // none
	}
	for name, value := range r.Headers {
		lines = append(lines, name+": "+value)
	}
	return lines
}

// analytics opens a server whose policy asks for analytics, which ada has given.
func analytics(t *testing.T) *testServer {
	t.Helper()
	h := open(t)
	d := doc
	d.Purposes = []policy.Purpose{{ID: "analytics", Title: "Analytics", Section: "I", Actions: []policy.Action{policy.Use}, Basis: policy.BasisConsent}}
	document, err := policydoc.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	h.want(200, `"receipt"`, "PUT", "/v1/apps/demo", appJSON)
	h.want(200, "", "POST", "/v1/apps/demo/policies", fmt.Sprintf(`{"document":%s,"texts":{%q:%q}}`, document, d.Texts[0].Hash, text))
	for _, who := range []string{"ada", "~tilde"} {
		h.receipt(appEndpoint, event("grant", who, "consent.given", strings.Replace(yes, "mail", "analytics", 1)))
	}
	return h
}

// TestWhatDotNetSends holds both modes of every request to one answer: one event
// is recorded once, whichever way it comes, and is understood as it was meant.
func TestWhatDotNetSends(t *testing.T) {
	all := recordedRequests(t)
	batch := all[len(all)-1]
	for i := 0; i+1 < len(all); i += 2 {
		binary, structured := all[i], all[i+1]
		if binary.Mode != "binary" || structured.Mode != "structured" || binary.Meant != structured.Meant {
			t.Fatalf("requests %d and %d are no two of one event", i, i+1)
		}
		if binary.Refused != "" && structured.Refused != "" {
			continue
		}
		t.Run(binary.Meant, func(t *testing.T) {
			h := analytics(t)
			code, body := h.do("POST", appEndpoint, binary.Body, binary.headers()...)
			again, other := h.do("POST", appEndpoint, structured.Body, structured.headers()...)
			if code != again || body != other {
				t.Errorf("in binary mode %d %s\nin structured mode %d %s", code, body, again, other)
			}
			var r wire.Receipt
			if err := json.Unmarshal([]byte(body), &r); err != nil {
				t.Fatal(err)
			}
			binary.check(t, h, code, body, r)
		})
	}
	h := analytics(t)
	if b := h.want(200, `"subject":"account:bob"`, "POST", appEndpoint, batch.Body, batch.headers()...); strings.Count(b, `"outcome":"recorded"`) != 2 {
		t.Errorf("a batch is answered by %s", b)
	}
}

// check holds an answer to what is meant.
func (r recorded) check(t *testing.T, h *testServer, code int, body string, got wire.Receipt) {
	id, subject := "w-1", "account:ada"
	switch r.Name {
	case "id":
		id = strings.TrimPrefix(r.Meant, "id ")
	case "subject":
		subject = strings.TrimPrefix(r.Meant, "subject ")
		if who, err := ident.ParsePersonKey(subject); err == nil {
			subject = who.String()
			break
		}
		// An id of a person holds nothing that is ever escaped.
		if code != 400 || !wiretest.Holds(body, `"path":"subject"`) || got.Outcome != wire.Refused {
			t.Errorf("%d %s", code, body)
		}
		return
	case "no data", "no data, no type":
		if code != 422 || !strings.Contains(body, "nothing-named") {
			t.Errorf("a withdrawal of nothing is answered by %d %s", code, body)
		}
		return
	}
	if code != 200 || got.ID != id || got.Subject != subject || got.Outcome != wire.Recorded {
		t.Errorf("%d %s, want the id %s", code, body, id)
	}
	unread := map[string]string{
		"data string": "data,", "data memory": "data,", "data object": "data.Act,data.Locale,data.Policy,data.Purposes,data.Surface",
	}[r.Name]
	if want := "data.locale,data.policy,data.surface"; unread == "" {
		unread = want
	} else if r.Name != "data object" {
		unread += want
	}
	if got.NotUnderstood != unread {
		t.Errorf("not understood: %s, want %s", got.NotUnderstood, unread)
	}
	h.want(200, `"allowed":false`, "POST", "/v1/apps/demo/check", `{"subject":"`+subject+`","purpose":"analytics"}`)
	history := h.want(200, `"not_understood":"`+unread+`"`, "GET", "/v1/apps/demo/subjects/"+subject+"/history", "")
	if strings.Contains(r.Name, "sequence") && !strings.Contains(history, "consent.withdrawn") {
		t.Errorf("the history is %s", history)
	}
	if r.Name == "time ticks" && !wiretest.Holds(history, `"at":"2026-11-02T09:30:00.123Z"`) || r.Name == "time west" && !wiretest.Holds(history, `"at":"2026-11-02T13:00:00.000Z"`) {
		t.Errorf("%s: the history is %s", r.Meant, history)
	}
}
