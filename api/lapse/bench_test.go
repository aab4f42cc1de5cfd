package lapse_test

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkAVersionMakesConsentsStale of one person an operation: with -benchtime 100000x
// it is a policy change that a hundred thousand persons are asked about again.
func BenchmarkAVersionMakesConsentsStale(b *testing.B) {
	w := newWorld(b)
	for i := range b.N {
		w.give(fmt.Sprint("p", i), 0, "ads")
	}
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
