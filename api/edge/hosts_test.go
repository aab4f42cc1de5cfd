package edge

import (
	"net"
	"net/http/httptest"
	"testing"
)

// An address is the same one in every spelling, on either side.
func TestHostsAreComparedAsWhatTheyName(t *testing.T) {
	hosts, err := ParseHosts([]string{"2001:DB8:0:0::0007", "[fd00::1]", "::ffff:192.0.2.7", "Ledger.example.com.", "fe80::1%eth0"})
	if err != nil {
		t.Fatal(err)
	}
	hosts = hosts.Listening("[2001:db8::0:8]:8080", &net.TCPAddr{IP: net.ParseIP("2001:db8::8"), Port: 8080})
	for host, want := range map[string]bool{
		"[2001:db8::7]:8080": true, "[2001:db8::7]": true, "[2001:0db8:0000::7]:1": true, "[2001:DB8::7]": true, "[2001:db8::6]": false,
		"[2001:db8::8]:8080": true, "[fd00:0::1]": true, "[fe80::1]": true, "192.0.2.7": true, "[::ffff:c000:207]": true, "192.0.2.8": false,
		"ledger.example.com:443": true, "LEDGER.EXAMPLE.COM.:443": true, "ledger.example.com..": false, "ledger.example.com.evil.example": false,
		"localhost:": true, "localhost.": true, "[::1]:8080": true, "[0:0:0:0:0:0:0:1]": true, "[::ffff:127.0.0.1]": true, "127.1": false, "0x7f000001": false,
		"0.0.0.0": false, "[::]": false, "": false, "null": false, "localhost.evil.example": false, "evil.example@localhost": false, "localhost,evil.example": false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		if got := hosts.allow(r); got != want {
			t.Errorf("Host %q is allowed: %v", host, got)
		}
	}
}

// A page says where it is from in several ways, and none but the ledger's own origin
// is let in.
func TestOriginsAreThoseOfThePage(t *testing.T) {
	for origin, want := range map[string]bool{
		"": false, "http://localhost:8080": false, "null": true, "http://localhost": true, "http://localhost:8081": true, "http://localhost.:8080": true,
		"http://[::1]:8080": true, "file://": true, "://": true, "http://evil.example": true, "http://localhost:8080.evil.example": true, "http://localhost:8080@evil.example": true,
	} {
		r := httptest.NewRequest("GET", "/v1/apps", nil)
		r.Host = "localhost:8080"
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if got := foreign(r); got != want {
			t.Errorf("Origin %q is foreign: %v", origin, got)
		}
	}
}
