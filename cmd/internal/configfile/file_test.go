package configfile

import (
	"strings"
	"testing"
)

// Where a password may stand in an address, it is found.
func TestAPasswordIsFound(t *testing.T) {
	for text, want := range map[string]bool{
		"postgres://ledger@db.example.com/ledger":                   false,
		"postgres://ledger:x@db.example.com/ledger":                 true,
		"postgres://db.example.com/ledger?user=ledger&password=x":   true,
		"postgres://db.example.com/ledger?sslpassword=x":            true,
		"postgres://led%3Ager%3Ax@db.example.com/ledger":            true,
		"host=db.example.com dbname=ledger":                         false,
		"host=db.example.com password = x dbname=ledger":            true,
		"esdb://ledger:x@one.example.com:2113,two.example.com:2113": true,
		"esdb://one.example.com:2113?tls=false":                     false,
		"nats://token@nats.example.com:4222":                        true,
		"nats://a.example.com:4222,nats://u:x@b.example.com:4222":   true,
		"tls://nats.example.com:4222":                               false,
		"https://id.example.com/realms/main":                        false,
		"shop=https://shop.example.com":                             false,
		"/run/secrets/password":                                     false,
		"/etc/consentledger/roles.yaml":                             false,
	} {
		if got := hasPassword(text); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// Whatever a file holds, it is read or refused with its name.
func FuzzParse(f *testing.F) {
	f.Add("server: a\nserve:\n  http: b\n  allowed-hosts: [c, d]\n")
	f.Add("serve: {http: 1, rate: 0.5, metrics: true}\n")
	f.Add("- a\n")
	f.Add("a: &b c\nd: *b\n")
	f.Add("a:\n  b:\n    c: d\n")
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := parse("f.yaml", []byte(text))
		if err != nil && !strings.HasPrefix(err.Error(), "f.yaml:") {
			t.Errorf("%q: %v", text, err)
		}
		for _, s := range settings {
			if len(s.values) == 0 || s.line == 0 {
				t.Errorf("%q: %+v", text, s)
			}
		}
	})
}
