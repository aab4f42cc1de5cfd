package ledger_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
)

// BenchmarkExecute has 256 clients on the real disk; one request in ten is
// from a person who is not known yet.
func BenchmarkExecute(b *testing.B) {
	for name, command := range map[string]domain.Command{
		"public":   yes,
		"personal": domain.WithdrawConsent{Scope: policy.Scope{All: true}, Details: "said to the desk in the lobby"},
	} {
		b.Run(name, func(b *testing.B) { benchExecute(b, command, 0) })
	}
	b.Run("followed by 8", func(b *testing.B) { benchExecute(b, yes, 8) })
}

// onDisk opens a ledger on the real disk, until b ends, whose folds have so much memory;
// zero: as much as there is by default.
func onDisk(b *testing.B, memory int) *ledger.Ledger {
	b.Helper()
	db, err := embedded.Open(b.TempDir(), embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	v, err := vault.Open(b.Context(), db.Rows(), vault.NewMemoryKeys())
	if err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(b.Context(), ledger.Config{Store: db.Store(), Vault: v, Memory: memory, Now: func() deadline.Instant { return start }})
	if err != nil {
		b.Fatal(err)
	}
	begin(b, l)
	return l
}

func benchExecute(b *testing.B, command domain.Command, followers int) {
	l := onDisk(b, 0)
	ctx, stop := context.WithCancel(b.Context())
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop()
	for range followers {
		workers.Go(func() {
			for range l.Follow(ctx, 0) { // until it is told to stop
			}
		})
	}
	var next atomic.Uint64
	b.SetParallelism(256 / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := next.Add(1)
			r := requestOf(fmt.Sprint(n), command)
			r.Person.ID = fmt.Sprint("p", person(n))
			if _, err := l.Execute(b.Context(), r); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// person returns a new person for every tenth n, and one of those before it
// for the others, each about as often.
func person(n uint64) uint64 {
	if n%10 == 1 {
		return n / 10
	}
	return n * 2654435761 % (n/10 + 1)
}

// cpuOf reports how much CPU the process takes for each operation, whatever else the
// machine does, once what it returns is called.
func cpuOf(b *testing.B) func() {
	began := cpuNow(b)
	return func() { b.ReportMetric(float64(cpuNow(b)-began)/float64(b.N), "cpu-ns/op") }
}

func cpuNow(b *testing.B) int64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// BenchmarkCrowd has 64 clients, and ten times as many persons as fit into memory,
// each with a dozen records: nearly everybody is read anew.
func BenchmarkCrowd(b *testing.B) {
	const persons, history = 20_000, 12
	l := onDisk(b, 6<<20)
	ctx, stop := context.WithCancel(b.Context())
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop()
	workers.Go(func() {
		if err := l.KeepSnapshots(ctx); err != nil {
			b.Error(err)
		}
	})

	var next atomic.Uint64
	record := func(who uint64) {
		n := int(next.Add(1))
		r := requestOf(fmt.Sprint(n), said(n))
		r.Person.ID = fmt.Sprint("p", who)
		if _, err := l.Execute(ctx, r); err != nil {
			b.Error(err)
		}
	}
	loaded := cpuNow(b)
	var clients sync.WaitGroup
	for c := range uint64(64) {
		clients.Go(func() {
			for range history {
				for who := c; who < persons; who += 64 {
					record(who)
				}
			}
		})
	}
	clients.Wait()
	b.Logf("loading: %d ns of CPU a record", (cpuNow(b)-loaded)/(persons*history))

	someone := func() uint64 { return next.Add(1) * 2654435761 % persons }
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.Run("record", func(b *testing.B) {
		defer cpuOf(b)()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				record(someone())
			}
		})
	})
	b.Run("check", func(b *testing.B) {
		defer cpuOf(b)()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := l.State(ctx, "demo", account(fmt.Sprint("p", someone())), ledger.AsOf{}); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkCold asks about a person after a start: of a dozen records, of 6,000
// with a snapshot, and of 6,000 without.
func BenchmarkCold(b *testing.B) {
	for _, tt := range []struct {
		name  string
		n     int
		keeps bool
	}{{"12", 12, true}, {"6000", 6000, true}, {"6000 without a snapshot", 6000, false}} {
		b.Run(tt.name, func(b *testing.B) { benchCold(b, tt.n, tt.keeps) })
	}
}

func benchCold(b *testing.B, n int, keeps bool) {
	db, err := embedded.Open(b.TempDir(), embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	keys := vault.NewMemoryKeys()
	w := &world{store: db.Store(), keys: keys, now: start}
	open := func() *ledger.Ledger {
		v, err := vault.Open(b.Context(), db.Rows(), keys)
		if err != nil {
			b.Fatal(err)
		}
		l, err := ledger.Open(b.Context(), ledger.Config{Store: w.store, Vault: v, Now: func() deadline.Instant { return w.now }})
		if err != nil {
			b.Fatal(err)
		}
		return l
	}
	check := func(l *ledger.Ledger, who ident.PersonKey) {
		s, err := l.State(b.Context(), "demo", who, ledger.AsOf{})
		if err != nil {
			b.Fatal(err)
		}
		domain.May(s.Subject, s.Reference, domain.Question{Purpose: "ads", Action: policy.Use, At: w.now})
	}
	l := open()
	begin(b, l)
	fill := func() { w.live(b, l, 0, n) }
	if keeps {
		keeping(b, l, fill)
	} else {
		fill()
	}
	for b.Loop() {
		b.StopTimer()
		l := open()
		check(l, account("nobody"))
		b.StartTimer()
		check(l, ada)
	}
}
