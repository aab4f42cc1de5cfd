package esdb_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
)

func numbered(n uint64, data []byte) eventstore.Record {
	r := eventstore.Record{Type: "test.v1", Data: data}
	binary.BigEndian.PutUint64(r.ID[8:], n)
	return r
}

// BenchmarkAppend counts appends a second by calls of their own and by one that
// stays open, of some writers at once. The server runs in the same process.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 64, 256} {
		for _, way := range []struct {
			name    string
			options esdb.Options
		}{{"unary", esdb.Options{NoBatchAppend: true}}, {"batch", esdb.Options{}}} {
			b.Run(fmt.Sprintf("%s/%d", way.name, writers), func(b *testing.B) {
				s := open(b, addressOf(serve(b, esdbserver.Options{})), way.options)
				if err := s.Ready(b.Context()); err != nil {
					b.Fatal(err)
				}
				data := make([]byte, 600)
				var left, ids atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				var all sync.WaitGroup
				for w := range writers {
					all.Go(func() {
						name := eventstore.Stream(fmt.Sprint("s", w))
						for at := eventstore.Revision(0); left.Add(-1) >= 0; at++ {
							if _, err := s.Append(b.Context(), name, at, numbered(uint64(ids.Add(1)), data)); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
			})
		}
	}
}

// BenchmarkFollow counts records a second that one follower is given who begins at
// the beginning.
func BenchmarkFollow(b *testing.B) {
	s := open(b, addressOf(serve(b, esdbserver.Options{})), esdb.Options{})
	const total = 100_000
	data := make([]byte, 600)
	for n := 0; n < total; n += 500 {
		records := make([]eventstore.Record, 500)
		for i := range records {
			records[i] = numbered(uint64(n+i)+1, data)
		}
		if _, err := s.Append(b.Context(), eventstore.Stream(fmt.Sprint("s", n%50000)), eventstore.Revision(n/50000*500), records...); err != nil {
			b.Fatal(err)
		}
	}
	for name, read := range map[string]func(context.Context) int{
		"follow": func(ctx context.Context) (n int) {
			for batch, err := range s.Follow(ctx, 0) {
				if err != nil {
					b.Fatal(err)
				}
				if n += len(batch); n == total {
					break
				}
			}
			return n
		},
		"read all": func(ctx context.Context) (n int) {
			for _, err := range s.ReadAll(ctx, 0) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			return n
		},
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				if n := read(b.Context()); n != total {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(b.N)*total/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkCheck counts questions a second about a stream's newest record, of 64 who
// ask at once: as they are, and behind barriers.
func BenchmarkCheck(b *testing.B) {
	for _, way := range []string{"read", "barrier", "barrier and read"} {
		b.Run(way, func(b *testing.B) {
			s := open(b, addressOf(serve(b, esdbserver.Options{})), esdb.Options{BarrierEvery: 10 * time.Millisecond})
			if _, err := s.Append(b.Context(), "a", 0, numbered(1, make([]byte, 600))); err != nil {
				b.Fatal(err)
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var all sync.WaitGroup
			for range 64 {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						if way != "read" {
							if err := s.Barrier(b.Context()); err != nil {
								b.Error(err)
							}
						}
						if way == "barrier" {
							continue
						}
						for _, err := range s.ReadStream(b.Context(), "a", 0) {
							if err != nil {
								b.Error(err)
							}
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "questions/s")
		})
	}
}
