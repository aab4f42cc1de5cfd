package intern

import (
	"hash/maphash"
	"sync/atomic"
)

// LongestKey is how many bytes a value is made of at most that a [Table] remembers.
const LongestKey = 1 << 10

// A Table remembers values that were made of bytes lately. Persons say the same few
// things: who holds what many said, holds it once. Nobody may change a value that
// comes from a table. Zero is empty.
type Table[V any] struct {
	places [1024]atomic.Pointer[made[V]]
}

// made is a value, and what it was made of.
type made[V any] struct {
	kind, text string
	value      V
}

// Of returns the value that was made of the same bytes of the same kind before, if
// it is still there; else what fresh makes, which is remembered unless it fails.
func (t *Table[V]) Of(kind string, text []byte, fresh func() (V, bool)) (V, bool) {
	if len(text) > LongestKey {
		return fresh()
	}
	place := &t.places[maphash.Bytes(seed, text)%uint64(len(t.places))]
	if m := place.Load(); m != nil && m.kind == kind && m.text == string(text) {
		return m.value, true
	}
	value, ok := fresh()
	if ok {
		place.Store(&made[V]{kind, string(text), value})
	}
	return value, ok
}
