package report_test

import (
	"fmt"
	"runtime"
	"testing"

	"consentledger/api/report"
)

// A heapWatch is a writer that keeps the most memory that lived while it was written to.
type heapWatch struct {
	since, most uint64
	written     int
}

func (w *heapWatch) Write(b []byte) (int, error) {
	if w.written += len(b); w.written%(1<<20) < len(b) {
		w.look()
	}
	return len(b), nil
}

func (w *heapWatch) look() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w.most = max(w.most, m.HeapAlloc)
}

// BenchmarkAFileOfManyLines reports how much memory a file of 100,000 lines holds while it is made.
func BenchmarkAFileOfManyLines(b *testing.B) {
	for _, form := range []report.Form{report.CSV, report.ICS, report.XLSX} {
		b.Run(string(form), func(b *testing.B) {
			b.ReportAllocs()
			var held uint64
			for b.Loop() {
				out := new(heapWatch)
				out.look()
				out.since, out.most = out.most, 0
				w, err := report.New(form, out, at)
				if err != nil {
					b.Fatal(err)
				}
				o := lines()[0]
				for i := range 100_000 {
					o.ID = fmt.Sprintf("request-%d", i)
					if err := w.Write(o); err != nil {
						b.Fatal(err)
					}
				}
				out.look()
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
				held = max(held, out.most-min(out.most, out.since))
			}
			b.ReportMetric(float64(held)/(1<<20), "held-MB")
		})
	}
}
