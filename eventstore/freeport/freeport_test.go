package freeport

import (
	"net"
	"testing"
)

// TestNobodyIsGivenAFreePortByChance: what the system gives lies elsewhere, and one who asks for
// an address that was given gets it.
func TestNobodyIsGivenAFreePortByChance(t *testing.T) {
	for range 100 {
		given, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if port := given.Addr().(*net.TCPAddr).Port; port >= First && port < End {
			t.Errorf("the system gives port %d to who asks for any", port)
		}
		if err := given.Close(); err != nil {
			t.Fatal(err)
		}

		l, err := net.Listen("tcp", Address(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
