package server

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"consentledger/api/auth"
)

// Whoever listens on every address cannot know under which name browsers come.
func TestTheLinkForTheFirstAdministratorNamesAnAddressOnlyIfItIsTheOne(t *testing.T) {
	h := &Server{keys: new(auth.Keys)}
	for listening, want := range map[string]string{"0.0.0.0:0": "http://LEDGER:", "127.0.0.1:0": "http://127.0.0.1:"} {
		l, err := net.Listen("tcp4", listening)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var out bytes.Buffer
		h.greetAccess(&out, l, &firstIn{link: "secret"})

		said := out.String()
		if !strings.Contains(said, want) || strings.Contains(said, "for LEDGER put") != strings.Contains(want, "LEDGER") {
			t.Errorf("%s: %s", listening, said)
		}
	}
}

// What is greeted with can be opened, also by who listens on every address.
func TestAnAddressThatIsGreetedWithCanBeOpened(t *testing.T) {
	for listening, want := range map[string]string{
		"0.0.0.0:8080":           "127.0.0.1:8080",
		"[::]:8080":              "127.0.0.1:8080",
		"192.0.2.7:8080":         "192.0.2.7:8080",
		"[::1]:8080":             "[::1]:8080",
		"ledger.example.com:443": "ledger.example.com:443",
	} {
		if got := dialable(listening); got != want {
			t.Errorf("%s: %s, want %s", listening, got, want)
		}
		if got := dialableURL("nats://" + listening); got != "nats://"+want {
			t.Errorf("nats://%s: %s", listening, got)
		}
	}
	if got := dialableURL("nats://a:4222,nats://b:4222"); got != "nats://a:4222,nats://b:4222" {
		t.Errorf("several servers: %s", got)
	}
}
