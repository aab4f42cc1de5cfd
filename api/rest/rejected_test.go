package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"consentledger/api/wire"
	"consentledger/api/wire/wiretest"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// A shelf holds rejected messages 1 to n, in memory: what NATS does is tested
// in api/nats/intake, and the two together in cmd.
type shelf struct {
	n    uint64
	seen map[uint64]string
	down bool
}

func (s *shelf) message(seq uint64) RejectedMessage {
	why, seen := s.seen[seq]
	return RejectedMessage{Seq: seq, App: "demo", At: "2026-03-02T00:00:00.000Z", Code: "unknown-act", Path: "data.act", Seen: seen, Why: why}
}

func (s *shelf) find(seq uint64) error {
	switch {
	case s.down:
		return errors.New("nats: user-7 timeout")
	case seq > s.n:
		return refusal.Refusal{Code: wire.UnknownMessage, Text: fmt.Sprintf("there is no rejected message %d", seq)}
	}
	return nil
}

func (s *shelf) List(_ context.Context, after uint64, limit int) (list []RejectedMessage, err error) {
	for seq := after + 1; seq <= s.n && len(list) < limit; seq++ {
		list = append(list, s.message(seq))
	}
	return list, s.find(0)
}

func (s *shelf) ListOn(ctx context.Context, day deadline.Instant, after uint64, limit int) ([]RejectedMessage, error) {
	if day.String() != "2026-03-02T00:00:00.000Z" {
		return nil, s.find(0)
	}
	return s.List(ctx, after, limit)
}

// App says that every hundredth message was sent to no app.
func (s *shelf) App(_ context.Context, seq uint64) (ident.AppName, error) {
	if seq%100 == 0 {
		return "", s.find(seq)
	}
	return "demo", s.find(seq)
}

func (s *shelf) Show(_ context.Context, opened ledger.Opened, seq uint64) (RejectedOriginal, error) {
	if !opened.Is("demo", domain.AccessRejected) {
		return RejectedOriginal{}, errors.New("no access was recorded")
	}
	return RejectedOriginal{RejectedMessage: s.message(seq), Text: `no act "nod"`, Subject: "consent.v1.demo.in.x", Data: []byte("user-7 \xff")}, s.find(seq)
}

func (s *shelf) Retry(_ context.Context, seq uint64) (ledger.Receipt, error) {
	return ledger.Receipt{Position: eventstore.Position(seq)}, s.find(seq)
}

func (s *shelf) MarkSeen(_ context.Context, seq uint64, why string) error {
	if err := s.find(seq); err != nil {
		return err
	}
	s.seen[seq] = why
	return nil
}

func TestRejectedMessagesOverHTTP(t *testing.T) {
	var log bytes.Buffer
	s := &shelf{n: 1500, seen: map[uint64]string{}}
	testServer := open(t)
	testServer.furnish()
	ledg := testServer.ledg
	begun, err := ledg.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h := Handler(Config{Rejected: s, Ledger: ledg, Ready: func(context.Context) []Check { return nil }, Log: slog.New(slog.NewTextHandler(&log, nil))})
	do := func(want int, method, path, body string, headers ...string) string {
		t.Helper()
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		h.ServeHTTP(w, r)
		text, _ := io.ReadAll(w.Body)
		if w.Code != want {
			t.Errorf("%s %s: %d %s, want %d", method, path, w.Code, text, want)
		}
		return string(text)
	}
	var all []uint64
	for path, next := "/v1/rejected?limit=700", ""; ; path = "/v1/rejected?limit=700&after=" + next {
		var page RejectedList
		if err := json.Unmarshal([]byte(do(200, "GET", path, "")), &page); err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Rejected {
			all = append(all, m.Seq)
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if b := do(200, "GET", "/v1/rejected?day=2026-03-02&limit=1&after=3", ""); !wiretest.Holds(b, `"seq":4`) || !wiretest.Holds(b, `"next":"4"`) {
		t.Errorf("of a day: %s", b)
	}
	if b := do(200, "GET", "/v1/rejected?day=2026-03-01", ""); !wiretest.Holds(b, `"rejected":[]`) {
		t.Errorf("of another day: %s", b)
	}
	do(400, "GET", "/v1/rejected?day=2999-01-01", "")
	do(400, "GET", "/v1/rejected?day=2026-3-1", "")
	if len(all) != 1500 || all[0] != 1 || all[1499] != 1500 {
		t.Errorf("%d messages in pages", len(all))
	}
	for _, headers := range [][]string{{}, {"Consent-Reason", "incident"}, {"Consent-Reason", "incident", "Consent-Why", "x"}, {"Consent-Why", "x", "Consent-By", "y"}} {
		if b := do(422, "GET", "/v1/rejected/7", "", headers...); !wiretest.Holds(b, `"code":"reason-missing"`) || strings.Contains(b, "user-7") {
			t.Error(b)
		}
	}
	do(400, "GET", "/v1/rejected/7", "", "Consent-Why", "%zz")
	if head, err := ledg.Head(t.Context()); err != nil || head != begun {
		t.Errorf("an access that was refused was recorded: %d, %v", head, err)
	}
	var o RejectedOriginal
	if err := json.Unmarshal([]byte(do(200, "GET", "/v1/rejected/7", "", "Consent-Reason", "incident", "Consent-Why", "%E6%8A%95%E8%AF%89", "Consent-By", "Li%20Na")), &o); err != nil || string(o.Data) != "user-7 \xff" || o.Code != "unknown-act" {
		t.Errorf("%+v, %v", o, err)
	}
	for e, err := range ledg.Replay(t.Context(), begun) {
		if a, is := e.Event.(domain.DataAccessed); err != nil || !is || e.Stream.String() != "access-demo-main" || a.Kind != domain.AccessRejected || a.Reason != "incident" || len(e.Parts) != 2 {
			t.Errorf("%+v, %v", e, err)
		}
	}
	who := []string{"Consent-Reason", "incident", "Consent-Why", "x", "Consent-By", "y"}
	if b := do(400, "GET", "/v1/rejected/100", "", who...); !strings.Contains(b, "name the app for which it is read") {
		t.Error(b)
	}
	do(404, "GET", "/v1/rejected/100?app=nosuch", "", who...)
	do(400, "GET", "/v1/rejected/100?app=Not%20A%20Name", "", who...)
	do(400, "GET", "/v1/rejected/7?app=other", "", who...)
	do(200, "GET", "/v1/rejected/7?app=demo", "", who...)
	do(200, "GET", "/v1/rejected/100?app=demo", "", who...)
	testServer.want(422, "an app is not called invalid", "PUT", "/v1/apps/invalid", appJSON)
	for e, err := range ledg.Replay(t.Context(), begun) {
		if err != nil || e.Stream.App != "demo" {
			t.Errorf("%s begins a stream of an app that is none, %v", e.Stream, err)
		}
	}
	if b := do(200, "POST", "/v1/rejected/7/retry", ""); !wiretest.Holds(b, `"position":"7"`) {
		t.Error(b)
	}
	if b := do(200, "POST", "/v1/rejected/7/seen", `{"why":"a test"}`); b != `{"why":"a test"}` && b != `{"why":"a test"}`+"\n" || s.seen[7] != "a test" {
		t.Error(b, s.seen)
	}
	do(400, "POST", "/v1/rejected/7/seen", `{"why":"a","because":"b"}`)
	for _, seq := range []string{"0", "-1", "x", "18446744073709551616"} {
		do(400, "GET", "/v1/rejected/"+seq, "")
		do(400, "GET", "/v1/rejected?after="+seq, "")
	}
	for method, path := range map[string]string{"GET": "/v1/rejected/1501", "POST": "/v1/rejected/1501/retry"} {
		if b := do(404, method, path, ""); !wiretest.Holds(b, `"code":"unknown-message"`) {
			t.Error(b)
		}
	}
	do(404, "POST", "/v1/rejected/1501/seen", `{"why":"x"}`)
	if !strings.Contains(log.String(), "sequence=7") || strings.Contains(log.String(), "user-7") {
		t.Errorf("the log: %s", log.String())
	}
	s.down = true
	if b := do(503, "GET", "/v1/rejected", ""); strings.Contains(b, "user-7") {
		t.Error(b)
	}
}

func TestOpenAPIListsTheRoutesOfRejectedMessages(t *testing.T) {
	h := Handler(Config{Rejected: &shelf{}})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	for _, route := range []string{`"/v1/rejected"`, `"/v1/rejected/{seq}"`, `"/v1/rejected/{seq}/retry"`, `"/v1/rejected/{seq}/seen"`, `"RejectedOriginal"`, `"maxLength":500`} {
		if !strings.Contains(w.Body.String(), route) {
			t.Errorf("%s is not in the document", route)
		}
	}
}
