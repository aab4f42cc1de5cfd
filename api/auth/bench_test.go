package auth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/rest"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// BenchmarkRecord records withdrawals over the real routes, on a store that syncs no
// disk, with a thousand keys: what authentication costs is the difference of the two.
func BenchmarkRecord(b *testing.B) {
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
	keys := &auth.Keys{Rows: rows, Now: now, Execute: l.Execute, Apps: func() []domain.AppName { return nil }}
	var key auth.Key
	for range 1000 {
		w := auth.Wish{Name: "the shop", Roles: []auth.Role{auth.Writer}, AllApps: true, Lasts: time.Hour}
		if key, _, err = keys.Issue(b.Context(), w, ""); err != nil {
			b.Fatal(err)
		}
	}
	open := rest.Handler(rest.Config{Ledger: l, Blobs: blobs.New(rows), Principal: auth.Recorder})

	sent := 0
	for name, h := range map[string]http.Handler{"without": open, "with": auth.Guard(open, auth.Ways{Keys: keys})} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				sent++
				if sent%20_000 == 0 { // the keys are known for half a minute
					b.StopTimer()
					if err := keys.Read(b.Context()); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				body := fmt.Sprintf(`{"specversion":"1.0","id":"e%[1]d","source":"test","type":"consent.withdrawn","subject":"user-%[1]d","data":{"all":true}}`, sent)
				r := httptest.NewRequest("POST", "/v1/apps/shop/events", strings.NewReader(body))
				r.Header.Set("Content-Type", "application/cloudevents+json")
				r.Header.Set("Authorization", "Bearer "+key.Reveal())
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
}
