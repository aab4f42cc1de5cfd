package rest

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/api/nats/operator"
	"consentledger/api/nats/subject"
	"consentledger/domain/ident"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// openNATS answers over NATS what h answers over HTTP.
func (h *testServer) openNATS() {
	h.t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: h.t.TempDir(),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	s.Start()
	h.t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		h.t.Fatal("the NATS server does not start")
	}
	if h.nats, err = nats.Connect(s.ClientURL(), nats.Timeout(time.Minute)); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(h.nats.Close)

	ctx, stop := context.WithCancel(h.t.Context())
	ready, ended := make(chan struct{}, 2), make(chan error, 2)
	routes := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.h.ServeHTTP(w, r) })
	seal := func(_ context.Context, _ string, text []byte) ([]byte, error) { return text, nil }
	go func() {
		c := operator.Config{Conn: h.nats, Handler: routes, Log: slog.New(slog.DiscardHandler)}
		ended <- operator.Run(ctx, c, func() { ready <- struct{}{} })
	}()
	go func() {
		c := intake.Config{
			Conn: h.nats, Ledger: h.ledg, Rehearse: h.ledg.Rehearse, Log: slog.New(slog.DiscardHandler),
			Seal: seal, Unseal: seal,
		}
		if reads := h.conf.Reads; reads != nil {
			c.Reads = func(ctx context.Context, app ident.AppName, _ []string) bool { return reads(ctx, string(app)) }
		}
		ended <- intake.Run(ctx, c, func() { ready <- struct{}{} })
	}()
	<-ready
	<-ready
	h.t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				h.t.Error(err)
			}
		}
	})
}

// dryOnNATS asks over NATS what a request would do, if there is a subject for it. The
// status is that of the problem, or 200.
func (h *testServer) dryOnNATS(method, path, body string, headers []string) (status, answer string, has bool) {
	h.t.Helper()
	to, body := dryRunSubject(method, path, body)
	toApps := strings.HasSuffix(to, subject.DryRun("record"))
	if h.nats == nil || to == "" || toApps && len(headers) > 0 { // where no header is the id of an event
		return "", "", false
	}

	m := nats.NewMsg(to)
	m.Data = []byte(body)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		m.Header.Set(name, value)
	}
	a, err := h.nats.RequestMsg(m, time.Minute)
	if err != nil {
		h.t.Fatalf("%s: %v", to, err)
	}
	if status = a.Header.Get(micro.ErrorCodeHeader); status == "" {
		status = "200"
	}
	return status, string(a.Data), true
}

// dryRunSubject returns the subject of a request's dry run, and the body that it has there.
func dryRunSubject(method, path, body string) (string, string) {
	parts := strings.Split(strings.TrimPrefix(path, "/v1/"), "/")
	if method == "POST" && len(parts) == 3 && parts[0] == "apps" && parts[2] == "events" && body[0] != '[' {
		return subject.Of(parts[1], subject.DryRun("record")), body
	}
	for _, r := range operator.Routes {
		pattern := strings.Split(strings.TrimPrefix(r.Path, "/v1/"), "/")
		if !r.DryRun || r.Method != method || len(pattern) != len(parts) {
			continue
		}
		fits, id := true, ""
		for i, p := range pattern {
			if p == "{id}" {
				id = parts[i]
			} else if p != parts[i] && !strings.HasPrefix(p, "{") {
				fits = false
			}
		}
		if !fits || r.Events && body[0] == '[' {
			continue
		}
		if id != "" {
			rest := strings.TrimPrefix(strings.TrimSpace(body), "{")
			if rest != "}" {
				rest = "," + rest
			}
			body = `{"id":"` + id + `"` + rest
		}
		return strings.Replace(r.Subject, "*", parts[1], 1), body
	}
	return "", ""
}

// A message on the subject of a dry run records nothing, whoever waits for its answer, and
// no header keeps an event from being recorded without being told so.
func TestADryRunOverNATSKeepsNothing(t *testing.T) {
	h := open(t)
	h.furnish()
	h.openNATS()
	before := h.kept()

	grant, optOut := event("n1", "ann", "consent.given", yes), event("n2", "ann", "consent.withdrawn", `{"all":true}`)
	for _, to := range []string{"record", "operate", "group"} {
		for _, body := range []string{grant, optOut, "no event", ""} {
			if err := h.nats.Publish(subject.Of("demo", subject.DryRun(to)), []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, to := range []string{"consent.v1.demo.record", "consent.v1.demo.query.dry-run-record"} {
		m := nats.NewMsg(to)
		m.Header.Set("Consent-Dry-Run", "true")
		m.Data = []byte(optOut)
		a, err := h.nats.RequestMsg(m, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(a.Data), "there is no header for a dry run") {
			t.Errorf("%s: %s", to, a.Data)
		}
	}
	h.want(400, "there is no header for a dry run", "POST", appEndpoint, optOut, "Consent-Dry-Run: true")

	// What was published before is answered before this.
	for _, to := range []string{"record", "operate"} {
		if _, err := h.nats.Request(subject.Of("demo", subject.DryRun(to)), []byte(optOut), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if after := h.kept(); len(after) != len(before) {
		t.Errorf("%d things are kept where there were %d", len(after), len(before))
	}

	info, err := h.nats.Request("$JS.API.STREAM.INFO.CONSENT_REJECTED", nil, time.Minute)
	if err != nil || !strings.Contains(string(info.Data), `"messages":0`) {
		t.Errorf("a dry run is kept with the rejected messages: %s, %v", info.Data, err)
	}
}
