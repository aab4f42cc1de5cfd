package bench

import (
	"math"
	"runtime/metrics"
	"testing"
)

func TestAQuantileIsOfWhatCameInBetween(t *testing.T) {
	buckets := []float64{0, 1, 2, 4, math.Inf(1)}
	before := metrics.Float64Histogram{Counts: []uint64{1000, 0, 5, 7}, Buckets: buckets}
	for _, c := range []struct {
		came [4]uint64
		q    float64
		want float64
	}{
		{[4]uint64{}, 0.99, 0},
		{[4]uint64{99, 1, 0, 0}, 0.99, 1},
		{[4]uint64{98, 2, 0, 0}, 0.99, 2},
		{[4]uint64{0, 0, 10, 0}, 0.5, 4},
		{[4]uint64{0, 0, 0, 3}, 0.5, 4},
	} {
		after := metrics.Float64Histogram{Counts: []uint64{1000, 0, 5, 7}, Buckets: buckets}
		for i, n := range c.came {
			after.Counts[i] += n
		}
		if got := quantileSince(before, after, c.q); got != c.want {
			t.Errorf("%v of %v: %v, want %v", c.q, c.came, got, c.want)
		}
	}
}

// What the runtime says of waits has this form, and only grows.
func TestTheSchedulerSaysHowLongItIsWaitedFor(t *testing.T) {
	before := schedulerWaits()
	done := make(chan struct{})
	for range 1000 {
		go func() { done <- struct{}{} }()
	}
	for range 1000 {
		<-done
	}
	if after := schedulerWaits(); quantileSince(before, after, 1) <= 0 {
		t.Errorf("a thousand goroutines ran, and none was counted: %v, %v", before.Counts, after.Counts)
	}
}
