package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/api/nats/operator"
	"consentledger/api/policyfile"
	"consentledger/api/rest"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A service is a ledger with the sample policy, which answers over HTTP and NATS.
type service struct {
	t      *testing.T
	ledger *ledger.Ledger
	http   *httptest.Server

	handler http.Handler // without what cuts connections

	asked atomic.Int64 // requests that came by HTTP
	down  atomic.Bool  // connections are cut before anything is read
	deaf  atomic.Int64 // so many answers more are lost after the work was done
}

func serve(t *testing.T) *service {
	t.Helper()
	rows := new(memory.Rows)
	v, err := vault.Open(t.Context(), rows, vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), ledger.Config{
		Store: new(memory.Store), Vault: v, Now: func() deadline.Instant { return deadline.At(time.Now()) },
	})
	if err != nil {
		t.Fatal(err)
	}

	handler := rest.Handler(rest.Config{Ledger: l, Blobs: blobs.New(rows), Version: "test"})
	s := &service{t: t, ledger: l, handler: handler}
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if s.down.Load() {
			cut(w)
			return
		}
		if s.deaf.Add(-1) >= 0 {
			handler.ServeHTTP(httptest.NewRecorder(), r)
			cut(w)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.http.Close)
	s.publish()
	return s
}

// cut ends a connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// publish registers the app and publishes its policy as an operator does.
func (s *service) publish() {
	s.t.Helper()
	dir := filepath.Join("..", "..", "cmd", "consentledger", "smartkey")
	file, err := os.ReadFile(filepath.Join(dir, "policy.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	doc, texts, err := policyfile.Parse("policy.yaml", file, func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) })
	if err != nil {
		s.t.Fatal(err)
	}
	document, err := policydoc.Marshal(doc)
	if err != nil {
		s.t.Fatal(err)
	}
	named := map[string]string{}
	for hash, text := range texts {
		named[hash.String()] = string(text)
	}
	body, err := json.Marshal(map[string]any{"document": json.RawMessage(document), "texts": named})
	if err != nil {
		s.t.Fatal(err)
	}
	s.operate(http.MethodPut, "/v1/apps/smartkey",
		[]byte(`{"handler":"SmartKey","environment":"test","jurisdiction":"CN","time_zone":"Asia/Shanghai","locales":["en"]}`))
	s.operate(http.MethodPost, "/v1/apps/smartkey/policies", body)
	s.asked.Store(0)
}

func (s *service) operate(method, path string, body []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.http.URL+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d %s", path, res.StatusCode, text)
	}
}

// overNATS lets the ledger answer over NATS, too.
func (s *service) overNATS() *nats.Conn {
	s.t.Helper()
	n, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: s.t.TempDir(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	n.Start()
	s.t.Cleanup(func() { n.Shutdown(); n.WaitForShutdown() })
	if !n.ReadyForConnections(time.Minute) {
		s.t.Fatal("NATS does not start")
	}
	connect := func() *nats.Conn {
		nc, err := nats.Connect(n.ClientURL(), nats.Timeout(time.Minute))
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(nc.Close)
		return nc
	}

	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}, 2), make(chan error, 2)
	same := func(_ context.Context, _ string, b []byte) ([]byte, error) { return b, nil }
	config := intake.Config{Conn: connect(), Ledger: s.ledger, Rehearse: s.ledger.Rehearse, Seal: same, Unseal: same}
	operators := operator.Config{Conn: connect(), Handler: s.handler, Log: slog.New(slog.DiscardHandler)}
	go func() { done <- intake.Run(ctx, config, func() { ready <- struct{}{} }) }()
	go func() { done <- operator.Run(ctx, operators, func() { ready <- struct{}{} }) }()
	for range 2 {
		select {
		case <-ready:
		case err := <-done:
			s.t.Fatal(err)
		}
	}
	s.t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				s.t.Error(err)
			}
		}
	})
	return connect()
}

// recorded returns the types of the events of a person, in their order.
func (s *service) recorded(subject string) (types []string) {
	s.t.Helper()
	who, err := ident.ParsePersonKey(subject)
	if err != nil {
		s.t.Fatal(err)
	}
	state, err := s.ledger.State(s.t.Context(), "smartkey", who, ledger.AsOf{})
	if err != nil {
		s.t.Fatal(err)
	}
	for e, err := range s.ledger.Replay(s.t.Context(), 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		if e.Stream.String() == state.Stream {
			types = append(types, codec.KindOf(e.Type))
		}
	}
	return types
}

// open opens a client that is closed with the test.
func (s *service) open(change func(*Config)) *Client {
	s.t.Helper()
	config := Config{App: "smartkey", Transport: HTTP(s.http.URL)}
	if change != nil {
		change(&config)
	}
	c, err := Open(config)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}
