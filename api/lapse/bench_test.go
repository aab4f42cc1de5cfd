package lapse_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/ledger"
)

// BenchmarkAVersionMakesConsentsStale of one person an operation: with -benchtime 100000x
// it is a policy change that a hundred thousand persons are asked about again.
func BenchmarkAVersionMakesConsentsStale(b *testing.B) {
	db, err := embedded.Open(b.TempDir(), embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	w := newWorldOn(b, db.Store(), db.Rows())
	var givers sync.WaitGroup // whose appends share syncs of the disk
	for lane := range 64 {
		givers.Go(func() {
			for i := lane; i < b.N; i += 64 {
				give(b, w, fmt.Sprint("p", i))
			}
		})
	}
	givers.Wait()
	f, stop := w.follow(w.open())
	defer stop()
	head, err := w.Head(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	until(b, "the consents are known", func() bool { at, err := f.State(); return at >= head && err == nil })

	b.ResetTimer()
	w.publish(2, "ads") // two records
	until(b, "all are said", func() bool {
		now, err := w.Head(b.Context())
		return err == nil && int(now-head) >= b.N+2
	})
	b.StopTimer()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB")
}

// give lets a person consent, beside others.
func give(b *testing.B, w *world, person string) {
	_, err := w.Execute(b.Context(), ledger.Request{
		App: "demo", Source: "bench", ID: person, Body: []byte("x"), Actor: "operator", RecordedBy: "test",
		Person:  ident.PersonKey{Kind: "account", ID: person},
		Command: domain.GiveConsent{Policy: "privacy", Act: "agree", Version: w.current, Purposes: []policy.PurposeID{"ads"}},
	})
	if err != nil {
		b.Error(err)
	}
}
