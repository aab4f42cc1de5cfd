// Package freeport gives tests addresses at which nobody listens: for what is told its address
// before it listens there, for what listens there again after a while, and for what is to find
// nobody.
//
// A listener on port 0 that is closed again would not do. Its port is one of those that the
// system gives to whoever asks for any, so that a test that runs beside may be given it. Ports
// below those are got by nobody who does not ask for that very one.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
)

// The ports that are given, unless the system's own begin lower: from there on systems give ports
// to who asks for any.
const (
	first = 10_000
	end   = 32_768
)

// bounds returns the port behind the last that is given, and whether the system gives none of them to
// who asks for any.
var bounds = sync.OnceValues(func() (behind int, apart bool) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return end, true // another system, whose ports begin at 32,768 or above
	}
	var least int
	if _, err := fmt.Sscan(string(text), &least); err != nil || least <= first+1000 {
		return end, false // they begin so low that few are left
	}
	return min(least, end), true
})

var (
	mu    sync.Mutex
	given = map[int]bool{} // by this process: two tests do not get the same
)

// Address returns an address of this machine at which nobody listens.
func Address(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", Port(t))
}

// Port is the port of [Address].
func Port(t testing.TB) int {
	t.Helper()
	behind, _ := bounds()
	mu.Lock()
	defer mu.Unlock()
	var err error
	for range 1000 {
		port := first + rand.IntN(behind-first)
		if given[port] {
			continue
		}
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
			continue // somebody does
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		given[port] = true
		return port
	}
	t.Fatalf("no port of %d to %d is free: %v", first, behind-1, err)
	return 0
}
