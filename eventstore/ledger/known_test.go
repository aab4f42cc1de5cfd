package ledger_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// A log is a store of records whose times are given.
type log struct {
	tallied
	rows  memory.Rows
	times []deadline.Instant
}

func newLog() *log { return &log{tallied: tallied{Store: numbered(newStore())}} }

// record appends records of these times.
func (g *log) record(t *testing.T, times ...deadline.Instant) {
	t.Helper()
	for _, at := range times {
		g.times = append(g.times, at)
		env := codec.Envelope{
			Stream: ident.StreamID{Noun: ident.ServiceNoun, App: "demo", ID: fmt.Sprint(len(g.times))},
			At:     at, Recorded: at, Actor: "system", RecordedBy: "test",
		}
		binary.BigEndian.PutUint64(env.ID[:], uint64(at)<<20+uint64(len(g.times)))
		x, err := codec.Encode(env, domain.ServiceCeased{Reason: "test"}, "", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Append(t.Context(), eventstore.Stream(env.Stream.String()), 0, x.Record); err != nil {
			t.Fatal(err)
		}
	}
}

// prefix is how many records were known at a moment.
func (g *log) prefix(at deadline.Instant) eventstore.Position {
	for i, recorded := range g.times {
		if recorded > at {
			return eventstore.Position(i)
		}
	}
	return eventstore.Position(len(g.times))
}

func (g *log) open(t *testing.T) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{Store: g, Vault: new(vault.Vault), Rows: &g.rows, Now: func() deadline.Instant { return start }})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// ask fails unless a moment is answered as the log says, and returns how many
// records that read.
func (g *log) ask(t *testing.T, l *ledger.Ledger, at deadline.Instant) int {
	t.Helper()
	g.read()
	if got, err := l.KnownAt(t.Context(), at); err != nil || got != g.prefix(at) {
		t.Fatalf("at %d: %d, %v, want %d", at-start, got, err, g.prefix(at))
	}
	return g.read()
}

// uneven returns times that mostly grow, stand still, and at times run behind.
func uneven(n int) (times []deadline.Instant) {
	at := start
	for i := range n {
		at += deadline.Instant(i % 7 * 300)
		times = append(times, at-deadline.Instant(i%11/9*2000))
	}
	return times
}

func TestWhatWasKnownIsFoundWithoutReadingTheLogAgain(t *testing.T) {
	g := newLog()
	g.record(t, uneven(5000)...)
	moments := []deadline.Instant{0, start - 1, start, start + 1, g.times[511], g.times[512], g.times[2500], g.times[2500] + 1, g.times[4998], g.times[4999], g.times[4999] + 1e6}
	first := g.open(t)
	for _, at := range moments {
		g.ask(t, first, at)
	}
	next := g.open(t)
	if n := g.ask(t, next, g.times[2500]); n > 3*512 {
		t.Errorf("the first question after a start read %d records of 5000", n)
	}
	for _, at := range append(moments, g.times...)[:200] {
		if n := g.ask(t, next, at); n > 2*512 {
			t.Errorf("a question read %d records", n)
		}
	}
	g.record(t, g.times[4999]+10, g.times[4999]+20)
	if n := g.ask(t, next, g.times[5001]); n > 2*512 {
		t.Errorf("what is new made a question read %d records", n)
	}
}

// TestMarksAreSetAsTheLogGrows: whoever keeps marks leaves nothing to read to
// the first question of the next start.
func TestMarksAreSetAsTheLogGrows(t *testing.T) {
	g := newLog()
	g.record(t, uneven(3000)...)
	l := g.open(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.KeepMarks(ctx) }()
	for n := 0; n < 5; n = g.marks(t) {
		runtime.Gosched()
	}
	g.record(t, g.times[2999]+10)
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := g.ask(t, g.open(t), g.times[100]); n > 2*512 {
		t.Errorf("the first question read %d records", n)
	}
}

// marks is how many are kept.
func (g *log) marks(t *testing.T) (n int) {
	t.Helper()
	for row, err := range g.rows.Scan(t.Context(), []byte("k/")) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(row.Value) / 32
	}
	return n
}

// TestMarksOfAnotherLogAreThrownAway: the log is another from its beginning, from
// the middle, or shorter, as after a restore.
func TestMarksOfAnotherLogAreThrownAway(t *testing.T) {
	for name, times := range map[string]func([]deadline.Instant) []deadline.Instant{
		"another": func(all []deadline.Instant) []deadline.Instant {
			for i := range all {
				all[i] += 5
			}
			return all
		},
		"another from the middle": func(all []deadline.Instant) []deadline.Instant {
			for i := range all[1500:] {
				all[1500+i] += 5
			}
			return all
		},
		"shorter": func(all []deadline.Instant) []deadline.Instant { return all[:1000] },
		"empty":   func(all []deadline.Instant) []deadline.Instant { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			old := newLog()
			old.record(t, uneven(3000)...)
			old.ask(t, old.open(t), start+1e9)
			g := newLog()
			for row, err := range old.rows.Scan(t.Context(), []byte("k/")) {
				if err != nil {
					t.Fatal(err)
				}
				if err := g.rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{row}}); err != nil {
					t.Fatal(err)
				}
			}
			g.record(t, times(uneven(3000))...)
			l := g.open(t)
			for _, at := range []deadline.Instant{start + 900_000, start + 1, start + 2_000_000, start + 1e9} {
				g.ask(t, l, at)
			}
		})
	}
}

// Full rows cannot be written to, as on a full disk.
type full struct{ eventstore.Rows }

func (full) Write(context.Context, eventstore.Change) error { return errors.New("the disk is full") }

func TestAFullDiskKeepsNobodyFromAskingAboutThePast(t *testing.T) {
	g := newLog()
	g.record(t, uneven(2000)...)
	l, err := ledger.Open(t.Context(), ledger.Config{Store: g, Vault: new(vault.Vault), Rows: full{&g.rows}, Now: func() deadline.Instant { return start }})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []deadline.Instant{g.times[1000], g.times[5], g.times[1999]} {
		g.ask(t, l, at)
	}
}
