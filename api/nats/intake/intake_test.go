package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/api/wire"
	"consentledger/api/wire/schema"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
)

// A testServer is a server, a ledger and an intake between them.
type testServer struct {
	t      *testing.T
	nc     *nats.Conn
	js     jetstream.JetStream
	ledger *ledger.Ledger
	faulty *faulty
	config Config
	log    *lockedBuffer
}

// A faulty ledger is broken while it is told to be, for one request's ID.
type faulty struct {
	*ledger.Ledger
	mu     sync.Mutex
	broken string
	blind  bool     // nothing can be read
	ids    []string // in the order in which they were taken
}

func (f *faulty) Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if req.ID == "panic" {
		panic("user-1 breaks it")
	}
	if req.ID == f.broken {
		return ledger.Receipt{}, errors.New("disk on fire")
	}
	f.ids = append(f.ids, req.ID)
	return f.Ledger.Execute(ctx, req)
}

func (f *faulty) State(ctx context.Context, app ident.AppName, who ident.PersonKey, asOf ledger.AsOf) (ledger.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.blind {
		return ledger.State{}, errors.New("disk on fire")
	}
	return f.Ledger.State(ctx, app, who, asOf)
}

func (f *faulty) breakFor(id string) { f.mu.Lock(); f.broken = id; f.mu.Unlock() }
func (f *faulty) taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.ids...)
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) text() string { b.mu.Lock(); defer b.mu.Unlock(); return b.String() }

func document() policy.Document {
	return policy.Document{
		Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai",
		Title:    []policy.LocalText{{Locale: "en", Text: "Privacy"}},
		Purposes: []policy.Purpose{{ID: "account", Title: "Account", Actions: []policy.Action{policy.Use}, Basis: policy.BasisConsent}},
		Acts:     []policy.Act{{ID: "agree", Title: "Agree", Counts: policy.ExplicitConsent}},
		Texts:    []policy.Text{{Locale: "en", Hash: content.Hash{1}, Force: policy.Authoritative}},
	}
}

func openLedger(t testing.TB) *ledger.Ledger {
	ctx := context.Background()
	v, err := vault.Open(ctx, new(memory.Rows), vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(ctx, ledger.Config{Store: new(memory.Store), Vault: v, Now: func() deadline.Instant { return deadline.At(time.Now()) }})
	if err != nil {
		t.Fatal(err)
	}
	doc := document()
	if p := doc.Check(); len(p) > 0 {
		t.Fatal(p)
	}
	for i, cmd := range []domain.Command{
		domain.RegisterApp{App: domain.App{Name: "smartkey", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}},
		domain.PublishPolicy{Version: content.Hash{2}, Document: doc},
	} {
		if _, err := l.Execute(ctx, ledger.Request{App: "smartkey", Source: "test", ID: fmt.Sprint(i), Body: []byte("{}"), Actor: "operator", RecordedBy: "test", Command: cmd}); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func connect(t testing.TB) *nats.Conn {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	nc, err := nats.Connect(s.ClientURL(), nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func flip(_ context.Context, app string, b []byte) ([]byte, error) {
	out := bytes.Clone(b)
	for i := range out {
		out[i] ^= 0x55
	}
	return out, nil
}

func newLog(into *lockedBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(into, nil)) }

func open(t *testing.T) *testServer {
	h := idleServer(t)
	stop := h.start()
	t.Cleanup(func() {
		stop()
		if strings.Contains(h.log.text(), "user-") {
			t.Errorf("the log names a person: %s", h.log.text())
		}
	})
	return h
}

func event(id, kind, subject, data string) []byte {
	return []byte(fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/app","type":%q,"subject":%q,"data":%s}`, id, kind, subject, data))
}

func (h *testServer) request(m *nats.Msg) (wire.Receipt, wire.Problem) {
	h.t.Helper()
	answer, err := h.nc.RequestMsg(m, time.Minute)
	if err != nil {
		h.t.Fatal(err)
	}
	var r wire.Receipt
	var p wire.Problem
	var into any = &r
	if answer.Header.Get(micro.ErrorCodeHeader) != "" {
		into = &p
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		h.t.Fatal(err)
	}
	return r, p
}

func (h *testServer) publish(kind string, data []byte) {
	h.t.Helper()
	if _, err := h.js.Publish(h.t.Context(), "consent.v1.smartkey.in."+kind, data); err != nil {
		h.t.Fatal(err)
	}
}

// until waits for what the outside can see.
func (h *testServer) until(what string, ok func() bool) {
	h.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond) // some of what is asked takes a processor
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !ok(); <-tick.C { // a server waits 30 s for an ack
		if time.Now().After(deadline) {
			h.t.Fatalf("never: %s", what)
		}
	}
}

const record = "consent.v1.smartkey.record"

func TestARequestIsRecordedOnceAndAnsweredTheSame(t *testing.T) {
	h := open(t)
	yes := event("1", "consent.given", "user-1", `{"act":"agree"}`)
	first, p := h.request(&nats.Msg{Subject: record, Data: yes})
	if first.EventID == "" {
		t.Fatal(p)
	}
	if again, _ := h.request(&nats.Msg{Subject: record, Data: yes}); again != first {
		t.Errorf("answered %v, then %v", first, again)
	}
	binary := &nats.Msg{Subject: record, Data: []byte(`{ "act": "agree" }`), Header: nats.Header{
		"ce-specversion": {"1.0"}, "CE-ID": {"1"}, "ce-source": {"/app"}, "ce-type": {"consent.given"}, "ce-subject": {"user-1"},
	}}
	if again, p := h.request(binary); again != first {
		t.Errorf("in binary mode: %v %v", again, p)
	}
	if _, p := h.request(&nats.Msg{Subject: record, Data: event("1", "consent.withdrawn", "user-1", `{"all":true}`)}); p.Status != 409 {
		t.Errorf("another body: %v", p)
	}
	if _, p := h.request(&nats.Msg{Subject: record, Data: []byte("user-1")}); p.Status != 400 {
		t.Errorf("no JSON: %v", p)
	}
	if _, p := h.request(&nats.Msg{Subject: "consent.v1.other.record", Data: yes}); p.Status != 404 {
		t.Errorf("an unknown app: %v", p)
	}
	n := 0
	for _, err := range h.ledger.History(t.Context(), "smartkey", ident.PersonKey{Kind: "account", ID: "user-1"}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d records", n)
	}
	answer, err := h.nc.Request("consent.v1.smartkey.check", []byte(`{"subject":"user-1","purpose":"account"}`), time.Minute)
	var a wire.CheckAnswer
	if err != nil || json.Unmarshal(answer.Data, &a) != nil || !a.Allowed || a.Events[0] != first.EventID {
		t.Errorf("%v: %s", err, answer.Data)
	}
}

func TestWhatCannotBeToldIsUnknownAndNotAllowed(t *testing.T) {
	h := open(t)
	h.request(&nats.Msg{Subject: record, Data: event("1", "consent.given", "person-1", `{"act":"agree"}`)})
	h.faulty.mu.Lock()
	h.faulty.blind = true
	h.faulty.mu.Unlock()
	ask := func(what, body string) (*nats.Msg, map[string]any) {
		answer, err := h.nc.Request("consent.v1.smartkey."+what, []byte(body), time.Minute)
		var a map[string]any
		if err != nil || json.Unmarshal(answer.Data, &a) != nil || strings.Contains(string(answer.Data), "fire") {
			t.Fatalf("%v: %s", err, answer.Data)
		}
		return answer, a
	}
	m, a := ask("check", `{"subject":"person-1","purpose":"account"}`)
	if m.Header.Get(micro.ErrorCodeHeader) != "503" || a["allowed"] != false || a["status"] != "unknown" || a["purpose"] != "account" || a["action"] != "use" {
		t.Errorf("%v: %v", m.Header, a)
	}
	if m, a := ask("check", `{"subject":"","purpose":"account"}`); m.Header.Get(micro.ErrorCodeHeader) != "400" || a["code"] != "malformed" {
		t.Errorf("a question that is wrong: %v: %v", m.Header, a)
	}
	if m, a := ask("prompt", `{"subject":"person-1"}`); m.Header.Get(micro.ErrorCodeHeader) != "503" || a["code"] != wire.NotAnswered {
		t.Errorf("what to ask: %v: %v", m.Header, a)
	}
}

func TestTheServiceIsListed(t *testing.T) {
	h := open(t)
	m, err := h.nc.Request("$SRV.INFO.consentledger", nil, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var info micro.Info
	if err := json.Unmarshal(m.Data, &info); err != nil || len(info.Endpoints) != 4 || info.Endpoints[0].Metadata["schema.request"] == "" || info.Endpoints[2].Subject != "consent.v1.*.prompt" || info.Endpoints[2].Metadata["schema.response"] == "" {
		t.Errorf("%v: %s", err, m.Data)
	}
	for _, e := range info.Endpoints {
		for _, part := range []string{"schema.request", "schema.response", "schema.error"} {
			name, is := strings.CutPrefix(e.Metadata[part], schemaPath)
			if _, has := schema.Of(name); !is || !has {
				t.Errorf("%s: the %s %q leads nowhere", e.Name, part, e.Metadata[part])
			}
		}
	}
}

func TestABrokenStoreHoldsBackThePersonAndNobodyElse(t *testing.T) {
	h := open(t)
	h.faulty.breakFor("a1")
	h.publish("consent.given", event("a1", "consent.given", "user-a", `{"act":"agree"}`))
	for i := 2; i <= 20; i++ {
		h.publish("consent.withdrawn", event(fmt.Sprint("a", i), "consent.withdrawn", "user-a", `{"all":true}`))
	}
	h.publish("consent.given", event("b1", "consent.given", "user-b", `{"act":"agree"}`))
	h.until("the other person's event is taken", func() bool { return len(h.faulty.taken()) == 1 })
	if got := h.faulty.taken(); got[0] != "b1" {
		t.Fatalf("taken: %v", got)
	}
	h.faulty.breakFor("")
	h.until("all are taken", func() bool { return len(h.faulty.taken()) >= 21 })
	for i, id := range h.faulty.taken()[1:] {
		if id != fmt.Sprint("a", i+1) {
			t.Fatalf("out of order: %v", h.faulty.taken())
		}
	}
	h.publish("consent.given", event("a1", "consent.given", "user-a", `{"act":"agree"}`))
	h.until("the second delivery is taken", func() bool { return len(h.faulty.taken()) == 22 })
	n := 0
	for range h.ledger.History(t.Context(), "smartkey", ident.PersonKey{Kind: "account", ID: "user-a"}) {
		n++
	}
	if n != 20 {
		t.Errorf("%d records, want 20", n)
	}
	c, err := h.js.Consumer(t.Context(), InStream, "ledger")
	if err != nil {
		t.Fatal(err)
	}
	h.until("all are acked", func() bool {
		info, err := c.Info(t.Context())
		return err == nil && info.NumAckPending == 0 && info.NumPending == 0
	})
}

func TestKeyedKeepsTheOrderOfAKey(t *testing.T) {
	k := newKeyedQueue(8)
	got := make([][]int, 4)
	for i := range 1000 {
		key := i % 4
		if !k.do(t.Context(), uint64(key), func() { got[key] = append(got[key], i) }) {
			t.Fatal("not taken")
		}
	}
	k.close()
	for key, list := range got {
		for i, v := range list {
			if v != 4*i+key {
				t.Fatalf("key %d: %v", key, list)
			}
		}
	}
	if k.do(t.Context(), 1, func() {}) || len(k.queues) != 0 {
		t.Error("open after close")
	}
}

func BenchmarkRoads(b *testing.B) {
	nc := connect(b)
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	c := Config{Conn: nc, Ledger: openLedger(b), Seal: flip, Unseal: flip}
	go func() { done <- Run(ctx, c, func() { close(ready) }) }()
	<-ready
	defer func() { stop(); <-done }()
	svc, err := micro.AddService(nc, micro.Config{Name: "echo", Version: "1.0.0"})
	if err != nil {
		b.Fatal(err)
	}
	_ = svc.AddEndpoint("echo", micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(r.Data()) }), micro.WithEndpointSubject("echo"))
	client, err := nats.Connect(nc.ConnectedUrl(), nats.Timeout(time.Minute))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	var n, run int
	var mu sync.Mutex
	for _, subject := range []string{"echo", record} {
		b.Run(subject, func(b *testing.B) {
			run++
			b.SetParallelism(128)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					mu.Lock()
					n++
					id := n
					mu.Unlock()
					if _, err := client.Request(subject, event(fmt.Sprint(run, "-", id), "consent.given", fmt.Sprint("user-", id%1000), `{"act":"agree"}`), time.Minute); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
