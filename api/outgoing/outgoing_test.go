package outgoing

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"93.184.215.14": true, "2606:2800:21f:cb07:6820:80da:af6b:8b2c": true, "::ffff:93.184.215.14": true,
		"0.0.0.0": false, "127.8.8.8": false, "169.254.169.254": false, "172.31.0.1": false, "192.168.0.1": false, "100.64.0.1": false,
		"224.0.0.1": false, "255.255.255.255": false, "::": false, "::1": false, "fe80::1%eth0": false, "fc00::1": false, "ff02::1": false,
		"::ffff:10.0.0.1": false, "64:ff9b::a00:1": false, "2002:a00:1::1": false, "2001::1": false,
	} {
		if got := IsPublic(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// A name is refused by what it leads to when it is dialled, and so is a redirect.
func TestADialerReachesPublicAddressesAlone(t *testing.T) {
	why := errors.New("not of the internet")
	asked := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(s.Close)
	dialer := &net.Dialer{Control: PublicAlone(why)}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{s.URL, "http://localhost:" + port} {
		if _, err := client.Get(at); !errors.Is(err, why) {
			t.Errorf("%s: %v", at, err)
		}
	}

	// A server that is asked leads to another, which is not asked.
	away := httptest.NewServer(http.RedirectHandler(s.URL, http.StatusTemporaryRedirect))
	t.Cleanup(away.Close)
	client.Transport = &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == away.Listener.Addr().String() { // stands for an address of the internet
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		return dialer.DialContext(ctx, network, address)
	}}
	if _, err := client.Get(away.URL); !errors.Is(err, why) || asked {
		t.Errorf("a redirect: %v, asked: %v", err, asked)
	}
	if err := PublicAlone(why)("tcp", "93.184.215.14:443", nil); err != nil {
		t.Errorf("an address of the internet: %v", err)
	}
}
