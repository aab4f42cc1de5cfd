package bench

import (
	"math"
	"runtime/metrics"
	"slices"
)

// schedulerWaits returns how long goroutines of this process have waited for a processor once
// they could run, since the process began.
func schedulerWaits() metrics.Float64Histogram {
	samples := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(samples)
	h := samples[0].Value.Float64Histogram()
	return metrics.Float64Histogram{Counts: slices.Clone(h.Counts), Buckets: slices.Clone(h.Buckets)}
}

// quantileSince returns a quantile of what came between two readings of one histogram: the
// upper bound of its bucket, or the lower one if it has none. Zero: nothing came.
func quantileSince(before, after metrics.Float64Histogram, q float64) float64 {
	var all uint64
	for i, n := range after.Counts {
		all += n - before.Counts[i]
	}

	need, seen := uint64(math.Ceil(q*float64(all))), uint64(0)
	for i, n := range after.Counts {
		if seen += n - before.Counts[i]; seen < need || all == 0 {
			continue
		}
		if upper := after.Buckets[i+1]; !math.IsInf(upper, 1) {
			return upper
		}
		return after.Buckets[i]
	}
	return 0
}
