package vault

import (
	"fmt"
	"runtime"
	"testing"

	"consentledger/eventstore/memory"
)

// heap returns how many bytes live.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestACacheHoldsAboutAsManyBytesAsItCounts measures what persons take in memory.
func TestACacheHoldsAboutAsManyBytesAsItCounts(t *testing.T) {
	v := open(t, new(memory.Rows), NewMemoryKeys())
	app, err := v.AppKey(t.Context(), "smartkey")
	ok(t, err)
	const n = 3000
	before := heap()
	for i := range n {
		p, err := newPerson("smartkey", Pseudonym{byte(i), byte(i >> 8)}, make([]byte, keySize))
		ok(t, err)
		v.people.keep(0, Lookup{"smartkey", "device", fmt.Sprint("somebody-", i)}, p)
	}
	took, counted := heap()-before, n*(2*(personBytes+placeBytes)+14) // by both names
	if took > 2*counted || counted > 2*took {
		t.Errorf("%d persons take %d bytes, counted as %d", n, took, counted)
	}
	runtime.KeepAlive(v)
	runtime.KeepAlive(app)
}

func TestACacheIsBounded(t *testing.T) {
	v := open(t, new(memory.Rows), NewMemoryKeys())
	p := enrol(t, v, phone)
	const each = personBytes + placeBytes + 5
	for i := range 4 * cacheBytes / each {
		v.people.keep(0, Lookup{"smartkey", "device", fmt.Sprint(i)}, p)
	}
	n := 0
	for i := range 4 * cacheBytes / each {
		if v.people.find(Lookup{"smartkey", "device", fmt.Sprint(i)}) != nil {
			n++
		}
	}
	if most := 2 * cacheBytes / each; n > most || n < most/4 {
		t.Errorf("%d lookups are remembered, want at most %d", n, most)
	}
}
