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
	"testing"
)

// First is the least port that is given, and End the one behind the last: from there on systems
// give ports to who asks for any.
const (
	First = 10_000
	End   = 32_768
)

// Address returns an address of this machine at which nobody listens.
func Address(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", Port(t))
}

// Port is the port of [Address].
func Port(t testing.TB) int {
	t.Helper()
	var err error
	for range 1000 {
		port := First + rand.IntN(End-First)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
			continue // somebody does
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatalf("no port of %d to %d is free: %v", First, End-1, err)
	return 0
}
