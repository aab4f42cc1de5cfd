package freeport

import (
	"net"
	"testing"
)

// TestNobodyIsGivenAFreePortByChance: what the system gives lies elsewhere, where its ports leave
// room for that, and one who asks for an address that was given gets it. None is given twice.
func TestNobodyIsGivenAFreePortByChance(t *testing.T) {
	behind, apart := bounds()
	seen := map[string]bool{}
	for range 100 {
		other, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if port := other.Addr().(*net.TCPAddr).Port; apart && port >= first && port < behind {
			t.Errorf("the system gives port %d to who asks for any", port)
		}
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}

		address := Address(t)
		if seen[address] {
			t.Errorf("%s is given twice", address)
		}
		seen[address] = true
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
