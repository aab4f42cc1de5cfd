package clock_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/clock"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// A testLedger is a ledger in a bubble. Its wall clock can be set, the one that only
// counts is the bubble's.
type testLedger struct {
	t     *testing.T
	store memory.Store
	rows  memory.Rows
	keys  vault.Keys
	set   atomic.Int64 // by so much the wall clock is off, in nanoseconds
}

func (h *testLedger) wall() deadline.Instant {
	return deadline.Instant(time.Now().Add(time.Duration(h.set.Load())).UnixMilli())
}

// run watches the clock while what happens, and returns what was recorded of
// it, one line each.
func (h *testLedger) run(happens func()) []string {
	h.t.Helper()
	if h.keys == nil {
		h.keys = vault.NewMemoryKeys()
	}
	v, err := vault.Open(h.t.Context(), &h.rows, h.keys)
	if err != nil {
		h.t.Fatal(err)
	}
	l, err := ledger.Open(h.t.Context(), ledger.Config{Store: &h.store, Vault: v, Now: h.wall})
	if err != nil {
		h.t.Fatal(err)
	}
	app := domain.RegisterApp{App: domain.App{Name: "demo", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}}
	if _, err := l.Execute(h.t.Context(), ledger.Request{App: "demo", Source: "test", ID: "app", Body: []byte("x"), Actor: "operator", RecordedBy: "test", Command: app}); err != nil {
		h.t.Fatal(err)
	}
	began := time.Now()
	w := &clock.Watch{
		Ledger: l, Apps: func() []ident.AppName { return []ident.AppName{"demo"} }, Log: slog.New(slog.DiscardHandler),
		Wall: h.wall, Count: func() time.Duration { return time.Since(began) },
	}
	ctx, stop := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	synctest.Wait()
	happens()
	stop()
	if err := <-done; err != nil {
		h.t.Error(err)
	}
	return h.observed()
}

func (h *testLedger) observed() (lines []string) {
	h.t.Helper()
	for r, err := range h.store.ReadAll(h.t.Context(), 0) {
		if err != nil {
			h.t.Fatal(err)
		}
		e, err := codec.Decode(r)
		if err != nil {
			h.t.Fatal(err)
		}
		n, ok := e.Event.(domain.Noted)
		if !ok {
			continue
		}
		if e.RecordedBy != "ledger" {
			h.t.Errorf("an observation is recorded by %q", e.RecordedBy)
		}
		var words []string
		for _, f := range n.Fields {
			words = append(words, f.Name+"="+f.Value)
		}
		lines = append(lines, string(n.Kind)+" "+strings.Join(words, " "))
	}
	return lines
}

func TestTheClockIsWatched(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(h *testLedger)
		want    string
	}{
		"an hour in which nobody touches it": {func(*testLedger) { time.Sleep(time.Hour) }, ""},
		"a day in which nobody touches it":   {func(*testLedger) { time.Sleep(25 * time.Hour) }, "clock.observed observation=steady watched=86400"},
		"somebody sets it an hour back": {func(h *testLedger) {
			time.Sleep(61 * time.Second)
			h.set.Add(-int64(time.Hour))
			time.Sleep(61 * time.Second)
		}, "clock.observed direction=back observation=stepped step=3600000 watched=70"},
		"somebody sets it a day forward, and back": {func(h *testLedger) {
			h.set.Add(int64(24 * time.Hour))
			time.Sleep(61 * time.Second)
			h.set.Add(-int64(24 * time.Hour))
			time.Sleep(61 * time.Second)
		}, "clock.observed direction=forward observation=stepped step=86400000 watched=10; clock.observed direction=back observation=stepped step=86400000 watched=60"},
		"it runs a little fast, as clocks do": {func(h *testLedger) {
			for range 360 {
				h.set.Add(int64(300 * time.Millisecond))
				time.Sleep(10 * time.Second)
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &testLedger{t: t}
				if got := strings.Join(h.run(func() { c.happens(h) }), "; "); got != c.want {
					t.Errorf("recorded %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestAClockThatWasSetBackWhileNobodyWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &testLedger{t: t}
		h.run(func() { time.Sleep(61 * time.Second) })
		h.set.Store(-int64(2 * time.Hour))
		got := h.run(func() { time.Sleep(61 * time.Second) })
		if len(got) != 1 || !strings.HasPrefix(got[0], "clock.observed direction=back observation=behind step=7") {
			t.Errorf("recorded %q", got)
		}
	})
}
