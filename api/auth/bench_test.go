package auth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/limit"
	"consentledger/api/auth/token"
	"consentledger/api/rest"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// A side is a ledger of its own, on a store that syncs no disk, with a thousand keys.
type side struct {
	*testing.B
	keys  *auth.Keys
	open  http.Handler
	guard http.Handler // nil: nobody is authenticated
	shows func(sent int) string
	sent  int
}

func newSide(b *testing.B) *side {
	b.Helper()
	rows := new(memory.Rows)
	v, err := vault.Open(b.Context(), rows, vault.NewMemoryKeys())
	if err != nil {
		b.Fatal(err)
	}
	now := func() deadline.Instant { return deadline.At(time.Now()) }
	l, err := ledger.Open(b.Context(), ledger.Config{Store: new(memory.Store), Vault: v, Now: now})
	if err != nil {
		b.Fatal(err)
	}
	app := domain.App{Name: "shop", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}
	_, err = l.Execute(b.Context(), ledger.Request{
		App: "shop", Source: "test", ID: "app", Body: []byte("x"), Actor: "operator", RecordedBy: "test", Command: domain.RegisterApp{App: app},
	})
	if err != nil {
		b.Fatal(err)
	}
	s := &side{B: b, keys: &auth.Keys{Rows: rows, Now: now, Execute: l.Execute, Apps: func() []ident.AppName { return nil }}}
	var key auth.Key
	for range 1000 {
		w := auth.Wish{Name: "the shop", Roles: []auth.Role{auth.Writer}, AllApps: true, Lasts: time.Hour}
		if key, _, err = s.keys.Issue(b.Context(), w, ""); err != nil {
			b.Fatal(err)
		}
	}
	s.open = rest.Handler(rest.Config{Ledger: l, Blobs: blobs.New(rows), Principal: auth.Recorder})
	s.shows = func(int) string { return key.Reveal() }
	return s
}

// record records so many withdrawals over the real routes, and returns how long that took.
func (s *side) record(n int) time.Duration {
	s.Helper()
	if err := s.keys.Read(s.Context()); err != nil { // keys are known for half a minute
		s.Fatal(err)
	}
	requests := make([]*http.Request, n)
	for i := range requests {
		s.sent++
		body := fmt.Sprintf(`{"specversion":"1.0","id":"e%[1]d","source":"test","type":"consent.withdrawn","subject":"user-%[1]d","data":{"all":true}}`, s.sent)
		requests[i] = httptest.NewRequest("POST", "/v1/apps/shop/events", strings.NewReader(body))
		requests[i].Header.Set("Content-Type", "application/cloudevents+json")
		requests[i].Header.Set("Authorization", "Bearer "+s.shows(s.sent))
	}
	h := s.guard
	if h == nil {
		h = s.open
	}

	began := time.Now()
	for _, r := range requests {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			s.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	return time.Since(began)
}

// BenchmarkRecord says what authentication costs: it records without it and with it, in
// turns, each in a ledger of its own, and tells the median of the ratios of a hundred
// requests. With a subject token each request is another person's, whose token is read
// for the first time.
func BenchmarkRecord(b *testing.B) {
	for name, way := range map[string]func(*side){
		"key": func(s *side) { s.guard = auth.Guard(s.open, auth.Ways{Keys: s.keys}) },
		"key-and-rate": func(s *side) {
			s.guard = auth.Guard(s.open, auth.Ways{Keys: s.keys, Limit: limit.New(1e9, 1e9, time.Now, nil)})
		},
		"subject-token": func(s *side) {
			signer, err := token.NewSigner(make([]byte, 32), time.Now, func(string, ident.AppName) bool { return true })
			if err != nil {
				b.Fatal(err)
			}
			s.guard = auth.Guard(s.open, auth.Ways{Keys: s.keys, Bearers: []auth.Bearer{signer}, Limit: limit.New(1e9, 1e9, time.Now, nil)})
			s.shows = func(sent int) string {
				who := token.Subject{App: "shop", Person: ident.PersonKey{Kind: "account", ID: fmt.Sprintf("user-%d", sent)}, Actions: []token.Action{token.Record}}
				text, _, err := signer.Mint(who, time.Hour, auth.Principal{Pseudonym: "p-shop"})
				if err != nil {
					b.Fatal(err)
				}
				return text
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			without, with := newSide(b), newSide(b)
			way(with)
			const at = 100
			var ratios []float64
			var plain, guarded time.Duration
			for b.Loop() {
				var a, z time.Duration
				if len(ratios)%2 == 0 {
					a, z = without.record(at), with.record(at)
				} else {
					z, a = with.record(at), without.record(at)
				}
				plain, guarded = plain+a, guarded+z
				ratios = append(ratios, float64(z)/float64(a))
			}
			slices.Sort(ratios)
			n := float64(len(ratios) * at)
			b.ReportMetric(float64(plain.Nanoseconds())/n, "without-ns")
			b.ReportMetric(float64(guarded.Nanoseconds())/n, "with-ns")
			b.ReportMetric(ratios[len(ratios)/2], "ratio")
		})
	}
}
