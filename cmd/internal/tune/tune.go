// Package tune sets how many goroutines run at once, and how much garbage may gather.
package tune

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// How much garbage may gather before it is collected, in percent of what
// lives: much while little lives, since every event leaves garbage, and less
// when more lives, so that it never takes much more room than what is used.
const (
	gcMost  = 400
	gcLeast = 100
	gcRoom  = 256 << 20 // bytes of garbage from which on the percentage falls
)

// AddProc lets one goroutine more run at once than there are CPUs. One that
// waits for the disk keeps its place until the runtime notices, which may take
// as long as the sync: with as many places as CPUs these idle meanwhile.
var AddProc = sync.OnceFunc(func() {
	runtime.GOMAXPROCS(procs(os.Getenv("GOMAXPROCS"), runtime.GOMAXPROCS(0)))
})

// procs returns how many goroutines may run at once, where the runtime lets so
// many and the operator has said how many, or nothing.
func procs(said string, now int) int {
	if said != "" {
		return now
	}
	return now + 1
}

// GC keeps the garbage collector's percentage as the constants say, unless
// the operator has set one.
func GC() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(gcMost)
	afterGC()
}

// A cycle lives for one cycle of the garbage collector. It is more than
// sixteen bytes, which are not collected alone.
type cycle struct{ _ [32]byte }

// afterGC looks at what lives after every collection.
func afterGC() {
	runtime.AddCleanup(new(cycle), func(struct{}) {
		debug.SetGCPercent(gcPercent(live()))
		afterGC()
	}, struct{}{})
}

// live returns how many bytes the last collection left.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// gcPercent returns the percentage for a heap of which so many bytes live.
func gcPercent(live uint64) int {
	if live == 0 {
		return gcMost
	}
	return int(min(max(gcRoom*100/live, gcLeast), gcMost))
}
