package postgres_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
)

// BenchmarkCatchUp counts how much CPU time of this process it takes to ask what is new,
// of one who asks after the other and of three who ask at once.
func BenchmarkCatchUp(b *testing.B) {
	for _, askers := range []int{1, 3} {
		b.Run(strconv.Itoa(askers), func(b *testing.B) {
			s := open(b, common.Address("postgres"), postgres.Options{Name: newName()})
			at, err := s.Append(b.Context(), "a", 0, eventstore.Record{ID: eventstore.EventID{1}, Type: "test.v1", Data: make([]byte, recordBytes)})
			if err != nil {
				b.Fatal(err)
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			before := cpu()
			b.ResetTimer()
			var all sync.WaitGroup
			for range askers {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						if _, _, err := s.CatchUp(b.Context(), at); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpu returns what this process has used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
