package rest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/wire"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json"
)

// A pipe is a listener with one connection, which knows deadlines.
type pipe struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (p pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conn:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipe) Close() error   { close(p.closed); return nil }
func (p pipe) Addr() net.Addr { return &net.TCPAddr{} }

// connect serves h on one connection, until the test ends.
func connect(t *testing.T, h http.Handler) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	l := pipe{make(chan net.Conn, 1), make(chan struct{})}
	l.conn <- theirs
	s := &http.Server{Handler: h, IdleTimeout: 2 * time.Minute}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ours.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return ours
}

// say sends a piece of a request.
func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// answered reads an answer.
func answered(t *testing.T, r *bufio.Reader) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestASlowUploadDoesNotCutTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.furnish()
		c := connect(t, h.h)
		r := bufio.NewReader(c)

		body := event("e1", "ann", "consent.given", yes)
		head := "POST /v1/apps/demo/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: Application/CloudEvents+JSON\r\nContent-Length: %d\r\n\r\n%s"
		say(t, c, fmt.Sprintf(head, len(body), body[:10]))
		time.Sleep(50 * time.Second) // of the bubble's clock
		say(t, c, body[10:])
		if code, b := answered(t, r); code != 200 || !strings.Contains(b, `"event_id"`) {
			t.Fatalf("a slow upload: %d %s", code, b)
		}

		time.Sleep(100 * time.Second)
		ask := `{"subject":"ann"}`
		say(t, c, fmt.Sprintf("POST /v1/apps/demo/subjects/consents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(ask), ask))
		if code, b := answered(t, r); code != 200 {
			t.Errorf("the next request on its connection: %d %s", code, b)
		}
	})
}

func TestABodyThatDoesNotComeEnds(t *testing.T) {
	for _, length := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
		synctest.Test(t, func(t *testing.T) {
			c := connect(t, open(t).h)
			begun := time.Now()
			say(t, c, "POST /v1/apps/demo/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+length+"\r\n\r\n")
			r := bufio.NewReader(c)
			if code, b := answered(t, r); code != 408 || time.Since(begun) != slowest {
				t.Errorf("%s: %d %s after %s", length, code, b, time.Since(begun))
			}
			if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("%s: the connection goes on: %v", length, err)
			}
		})
	}
}

// A request that takes longer than its body may take to come goes on.
func TestALongAnswerIsNotCutByTheLimitOfItsBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		conf := h.conf
		conf.Ledger = dawdlingLedger{h.ledg}
		h.furnish()
		c := connect(t, Handler(conf))
		ask := `{"subject":"ann"}`
		say(t, c, fmt.Sprintf("POST /v1/apps/demo/subjects/consents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(ask), ask))
		if code, b := answered(t, bufio.NewReader(c)); code != 200 {
			t.Errorf("%d %s", code, b)
		}
	})
}

// A dawdlingLedger takes its time, unless who asks is gone.
type dawdlingLedger struct{ Ledger }

func (l dawdlingLedger) State(ctx context.Context, app ident.AppName, who ident.PersonKey, asOf ledger.AsOf) (ledger.State, error) {
	select {
	case <-time.After(3 * slowest):
		return l.Ledger.State(ctx, app, who, asOf)
	case <-ctx.Done():
		return ledger.State{}, ctx.Err()
	}
}

func TestAnAnswerThatCannotBeWrittenDownIsNoSuccess(t *testing.T) {
	mux := http.NewServeMux()
	h := open(t)
	s := &server{Config: h.conf}
	api := humago.New(mux, config("test"))
	type broken struct {
		First string `json:"first"`
		Then  string `json:"then"`
	}
	route(s, api, "broken", http.MethodGet, "/broken", "It cannot be written down", func(context.Context, *none) (*out[broken], error) {
		return ok(broken{strings.Repeat("secret", 10000), "\xff secret"})
	})
	guarded := s.guard(mux, routesOf(api.OpenAPI()))

	w := httptest.NewRecorder()
	guarded.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/broken", nil))
	var p wire.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 500 || p.Status != 500 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s %v", w.Code, w.Body, err)
	}
	if log := h.log.String(); !strings.Contains(log, "cannot be written down") || strings.Contains(log, "secret") {
		t.Error(log)
	}
}
