// Package intern makes strings of bytes. Nearly all that stand in events and in
// records are the same few names: who holds many of them need not hold each many
// times.
package intern

import (
	"hash/maphash"
	"sync/atomic"
)

// Longest is how long a text is that is remembered, in bytes.
const Longest = 80

// lately has texts that were read lately, each at a place of its own.
var lately [1024]atomic.Pointer[string]

var seed = maphash.MakeSeed()

// String returns b as a string: that which was made of the same bytes before, if
// it is still there.
func String(b []byte) string {
	if len(b) == 0 || len(b) > Longest {
		return string(b)
	}
	place := &lately[maphash.Bytes(seed, b)%uint64(len(lately))]
	if known := place.Load(); known != nil && *known == string(b) {
		return *known
	}
	s := string(b)
	place.Store(&s)
	return s
}
