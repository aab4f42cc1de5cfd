//go:build !windows

package intake

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"

	"github.com/nats-io/nats.go/jetstream"
)

// BenchmarkStream measures what it costs that the store knows of each message of the
// stream: a message is published, recorded on a disk and acked, with and without it.
func BenchmarkStream(b *testing.B) {
	for _, remembers := range []bool{false, true} {
		b.Run(fmt.Sprintf("remembers=%v", remembers), func(b *testing.B) { drainStreamOf(b, remembers) })
	}
}

func drainStreamOf(b *testing.B, remembers bool) {
	nc := connect(b)
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	db, err := embedded.Open(b.TempDir(), embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	c := Config{Conn: nc, Ledger: diskLedger(b, db), Seal: flip, Unseal: flip}
	if remembers {
		c.Rows, c.Apps = db.Rows(), func() []ident.AppName { return nil }
	}

	if err := makeStreams(b.Context(), c, js); err != nil {
		b.Fatal(err)
	}
	for i := range b.N {
		data := event(fmt.Sprint(i), "consent.withdrawn", fmt.Sprint("user-", i%500), `{"all":true}`)
		if _, err := js.PublishAsync("consent.v1.smartkey.in.consent.withdrawn", data); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()

	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	before := cpu(b)
	b.ResetTimer()
	go func() { done <- Run(ctx, c, nil) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		s, err := js.Stream(b.Context(), InStream)
		if err != nil {
			b.Fatal(err)
		}
		if s.CachedInfo().State.Msgs == 0 {
			break
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op") // other programs disturb it less than the time
	stop()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// cpu returns how much processor time the process has had.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// diskLedger is openLedger on a disk.
func diskLedger(b *testing.B, db *embedded.DB) *ledger.Ledger {
	ctx := b.Context()
	v, err := vault.Open(ctx, db.Rows(), vault.NewMemoryKeys())
	if err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(ctx, ledger.Config{Store: eventstore.Store(db.Store()), Vault: v, Now: func() deadline.Instant { return deadline.At(time.Now()) }})
	if err != nil {
		b.Fatal(err)
	}
	register := domain.RegisterApp{App: domain.App{Name: "smartkey", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}}
	for i, cmd := range []domain.Command{register, domain.PublishPolicy{Version: content.Hash{2}, Document: document()}} {
		if _, err := l.Execute(ctx, ledger.Request{App: "smartkey", Source: "test", ID: fmt.Sprint(i), Body: []byte("{}"), Actor: "operator", RecordedBy: "test", Command: cmd}); err != nil {
			b.Fatal(err)
		}
	}
	return l
}
