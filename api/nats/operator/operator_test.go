package operator

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "text/plain")
	if len(r.Header.Values("Idempotency-Key")) > 1 {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, "two keys")
		return
	}
	switch r.URL.Query().Get("wait") {
	case "plain":
		http.Error(w, "no such thing", http.StatusNotFound)
		return
	case "malformed":
		http.Error(w, "want ?event=", http.StatusBadRequest)
		return
	}
	switch r.Header.Get("Idempotency-Key") {
	case "refuse":
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
	case "abort":
		panic(http.ErrAbortHandler)
	case "huge":
		w.Write(make([]byte, 2<<20))
	}
	if id := r.Header.Get("Ce-Id"); id != "" {
		io.WriteString(w, "ce-id "+id+" ")
	}
	io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+string(body)+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("Authorization")+r.Header.Get("Cookie"))
}

// ask runs the service and sends one request.
func ask(t *testing.T, m *nats.Msg) *nats.Msg {
	t.Helper()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer func() { srv.Shutdown(); srv.WaitForShutdown() }()
	if !srv.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	nc, err := nats.Connect(srv.ClientURL(), nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- Run(ctx, Config{Conn: nc, Handler: http.HandlerFunc(echo), Log: slog.Default()}, func() { close(ready) })
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	answer, err := nc.RequestMsg(m, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestAMessageIsTheRequestThatItsRouteSays(t *testing.T) {
	for _, c := range []struct{ name, subject, body, header, want, code string }{
		{"a body goes as it is", "smartkey.operate", `{"a": 1}`, "", `POST /v1/apps/smartkey/operator/events {"a": 1} application/json `, ""},
		{"a content type of one's own", "smartkey.operate", `[]`, "Content-Type: application/cloudevents-batch+json", `POST /v1/apps/smartkey/operator/events [] application/cloudevents-batch+json `, ""},
		{"other headers do not go", "smartkey.operate", `{}`, "Cookie: secret", `POST /v1/apps/smartkey/operator/events {} application/json `, ""},
		{"who sends it goes", "smartkey.operate", `{}`, "authorization: Bearer clk_x", `POST /v1/apps/smartkey/operator/events {} application/json Bearer clk_x`, ""},
		{"an event in binary mode", "smartkey.operate", `{}`, "ce-id: 7", `ce-id 7 POST /v1/apps/smartkey/operator/events {} application/json `, ""},
		{"a group's, without data", "our-family.group", ``, "CE-ID: 7", `ce-id 7 POST /v1/groups/our-family/events   `, ""},
		{"what is no event has no such headers", "smartkey.operate.policy", `{}`, "ce-id: 7", `POST /v1/apps/smartkey/policies {} application/json `, ""},
		{"a header in lower case", "smartkey.operate.policy", `{}`, "idempotency-key: refuse", `POST /v1/apps/smartkey/policies {} application/json `, "422"},
		{"a header that stands twice goes twice, to be refused", "smartkey.operate", `{}`, "Idempotency-Key: a\nidempotency-key: b", `two keys`, "400"},
		{"a refusal has its code", "smartkey.operate.policy", `{}`, "Idempotency-Key: refuse", `POST /v1/apps/smartkey/policies {} application/json `, "422"},
		{"members in the query, others in the body", "smartkey.query.history", `{"subject": "ann", "after": "7", "limit": 2}`, "", `POST /v1/apps/smartkey/subjects/history?after=7&limit=2 {"subject":"ann"} application/json `, ""},
		{"no body is no member", "smartkey.query.activity", ``, "", `GET /v1/apps/smartkey/activity   `, ""},
		{"members in the path", "smartkey.query.request", `{"id": "a/b?c", "as_of": "2026-03-02T00:00:00Z"}`, "", `GET /v1/apps/smartkey/requests/a%2Fb%3Fc?as_of=2026-03-02T00%3A00%3A00Z   `, ""},
		{"a path may not lead elsewhere", "smartkey.query.request", `{"id": ".."}`, "", `id is missing`, "400"},
		{"a member that stands twice", "smartkey.query.history", `{"subject": "ann", "subject": "bo"}`, "", `names a member twice`, "400"},
		{"one that goes into the query and stands twice", "smartkey.query.history", `{"subject": "ann", "limit": 1, "limit": 2}`, "", `names a member twice`, "400"},
		{"a member that a route without any does not know", "smartkey.query.app", `{"app": "secret"}`, "", `there are: none`, "400"},
		{"an empty object for a route without any member", "smartkey.query.app", `{}`, "", `GET /v1/apps/smartkey   `, ""},
		{"a path needs all its members", "smartkey.query.policy", `{}`, "", `version is missing`, "400"},
		{"a member that nobody knows", "smartkey.query.policy", `{"version": "x", "secret": "y"}`, "", `there are: version`, "400"},
		{"an object where a text stands", "smartkey.query.history", `{"subject": "ann", "after": {"secret": 1}}`, "", `after must be a string`, "400"},
		{"no object", "smartkey.query.history", `"secret"`, "", `the body is not a JSON object`, "400"},
		{"the app is the subject's", "smartkey.query.due", `{"rule": "r"}`, "", `POST /v1/deadlines/compute {"app":"smartkey","rule":"r"} application/json `, ""},
		{"and no other", "smartkey.query.due", `{"rule": "r", "app": "secret"}`, "", `app must be the one in the subject`, "400"},
		{"a group", "our-family.group", `{}`, "", `POST /v1/groups/our-family/events {} application/json `, ""},
		{"a refusal in plain text is a problem", "smartkey.query.proof", `{"wait": "plain"}`, "", `"code":"not-found","detail":"no such thing","outcome":"refused","status":404`, "404"},
		{"one of what was sent, too", "smartkey.query.proof", `{"wait": "malformed"}`, "", `"code":"malformed","detail":"want ?event=","outcome":"refused","status":400`, "400"},
		{"an answer that broke off is none", "smartkey.operate", `{}`, "Idempotency-Key: abort", `outcome-unknown`, "503"},
		{"and where nothing was to be recorded, no outcome is unknown", "smartkey.query.state", `{}`, "Idempotency-Key: abort", `"service-unavailable"`, "503"},
		{"an answer that fits into no message", "smartkey.operate", `{}`, "Idempotency-Key: huge", `ask for fewer rows`, "413"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &nats.Msg{Subject: "consent.v1." + c.subject, Data: []byte(c.body), Header: nats.Header{}}
			for line := range strings.SplitSeq(c.header, "\n") {
				if name, value, has := strings.Cut(line, ": "); has {
					m.Header.Add(name, value)
				}
			}
			answer := ask(t, m)
			got := string(answer.Data)
			exact := c.code == "" || c.code == "422"
			if exact && got != c.want || !strings.Contains(got, c.want) || strings.Contains(got, "secret") || answer.Header.Get(micro.ErrorCodeHeader) != c.code {
				t.Errorf("%s %v, want %s %s", got, answer.Header, c.code, c.want)
			}
			if !exact && answer.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%v", answer.Header)
			}
		})
	}
}
