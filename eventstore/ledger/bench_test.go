package ledger_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"consentledger/domain"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
)

// BenchmarkExecute has 256 clients on the real disk; one request in ten is
// from a person who is not known yet.
func BenchmarkExecute(b *testing.B) {
	for name, command := range map[string]domain.Command{
		"public":   yes,
		"personal": domain.WithdrawConsent{Scope: domain.Scope{All: true}, Details: "said to the desk in the lobby"},
	} {
		b.Run(name, func(b *testing.B) { benchExecute(b, command) })
	}
}

func benchExecute(b *testing.B, command domain.Command) {
	db, err := embedded.Open(b.TempDir(), embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	w := &world{store: db.Store(), keys: vault.NewMemoryKeys(), now: start}
	v, err := vault.Open(b.Context(), db.Rows(), w.keys)
	if err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(b.Context(), ledger.Config{Store: w.store, Vault: v, Now: func() domain.Instant { return w.now }})
	if err != nil {
		b.Fatal(err)
	}
	begin(b, l)
	var next atomic.Uint64
	b.SetParallelism(256 / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := next.Add(1)
			r := request(fmt.Sprint(n), command)
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
