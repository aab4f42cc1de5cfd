package embedded_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"consentledger/eventstore"
)

// BenchmarkAppend has 256 writers, each on a stream of its own, on the real
// disk.
func BenchmarkAppend(b *testing.B) {
	const writers = 256
	s := open(b, nil, b.TempDir()).Store()
	data := make([]byte, 600)
	b.SetBytes(int64(len(data)))
	b.SetParallelism((writers + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	var next atomic.Uint32
	b.RunParallel(func(pb *testing.PB) {
		name := eventstore.Stream(fmt.Sprint("stream-", next.Add(1)))
		r := eventstore.Record{ID: eventstore.EventID{1}, Type: "bench.v1", Data: data}
		for i := 0; pb.Next(); i++ {
			if _, err := s.Append(b.Context(), name, eventstore.Revision(i), r); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
