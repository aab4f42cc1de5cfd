package remote

import (
	"net/http"
	"testing"

	"github.com/spf13/cobra"
)

// A log may lie anywhere. The key is shown to the server that it is for, and to no other.
func TestTheKeyIsShownToItsServerAlone(t *testing.T) {
	t.Setenv(KeyVariable, "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl") // of the form of a token
	for address, shown := range map[string]bool{
		"https://ledger.example.com/log/shop":         true,
		"https://ledger.example.com":                  true,
		"https://ledger.example.com.evil.example/log": false,
		"https://monitor.example.org/log/shop":        false,
		"http://ledger.example.com/log/shop":          false,
	} {
		c := &cobra.Command{Use: "verify"}
		Flags(c)
		if err := c.ParseFlags([]string{"--server", "https://ledger.example.com/"}); err != nil {
			t.Fatal(err)
		}

		showKey, err := KeyFor(c, address)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if showKey != nil {
			err = showKey(r)
		}
		if got := r.Header.Get("Authorization") != ""; err != nil || got != shown {
			t.Errorf("%s: the key is shown: %v %v, want %v", address, got, err, shown)
		}
	}
}
