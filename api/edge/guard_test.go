package edge

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// ask sends a request to a guarded handler that counts, and returns the status
// and whether it came through.
func ask(t *testing.T, hosts Hosts, method, url string, headers ...string) (status int, through bool) {
	t.Helper()
	h := Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { through = true }), hosts)
	r := httptest.NewRequest(method, url, nil)
	at := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 8080}
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(at)))
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if !through && w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s is refused without a problem: %v", method, url, w.Header())
	}
	return w.Code, through
}

func TestTheLedgerIsAskedUnderItsOwnNames(t *testing.T) {
	more, err := ParseHosts([]string{"Ledger.Example.", "10.0.0.5", "[2001:db8::5]", "consent_ledger"})
	if err != nil {
		t.Fatal(err)
	}
	one := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	every := &net.TCPAddr{IP: net.IPv6unspecified, Port: 8080}
	for _, c := range []struct {
		name  string
		hosts Hosts
		host  string
		want  bool
	}{
		{"localhost", Hosts{}, "localhost:8080", true},
		{"localhost in capitals, with the dot of the root", Hosts{}, "LOCALHOST.:8080", true},
		{"loopback addresses", Hosts{}, "127.0.0.1", true},
		{"loopback addresses of version 6", Hosts{}, "[::1]:8080", true},
		{"any port, for proxies have their own", Hosts{}, "localhost:1", true},
		{"a foreign name", Hosts{}, "evil.example", false},
		{"a foreign name that begins as ours", Hosts{}, "localhost.evil.example", false},
		{"a foreign name that ends as ours", Hosts{}, "evil-localhost", false},
		{"a name that holds an address of ours", Hosts{}, "127.0.0.1.evil.example", false},
		{"an address that is not loopback", Hosts{}, "192.0.2.7", false},
		{"no name", Hosts{}, "", false},
		{"a port alone", Hosts{}, ":8080", false},
		{"the name in --http", Hosts{}.Listening("ledger.internal:8080", one), "ledger.internal:8080", true},
		{"another than that", Hosts{}.Listening("ledger.internal:8080", one), "evil.example", false},
		{"the address that was connected to, where all are open", Hosts{}.Listening(":8080", every), "192.0.2.7:8080", true},
		{"another address, where all are open", Hosts{}.Listening(":8080", every), "192.0.2.8:8080", false},
		{"a name, where all addresses are open", Hosts{}.Listening("0.0.0.0:8080", every), "evil.example", false},
		{"what the banner shows, where all are open", Hosts{}.Listening(":8080", every), "[::]:8080", true},
		{"a name that was allowed", more, "ledger.example", true},
		{"the same with a dot and a port", more, "ledger.example.:443", true},
		{"below a name that was allowed", more, "evil.ledger.example", false},
		{"an address that was allowed", more, "10.0.0.5:8080", true},
		{"one of version 6", more, "[2001:DB8::5]", true},
		{"a container's name", more, "consent_ledger:8080", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "http://localhost/livez", nil)
			r.Host = c.host
			at := net.Addr(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 8080})
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, at))
			through := false
			w := httptest.NewRecorder()
			Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { through = true }), c.hosts).ServeHTTP(w, r)
			if through != c.want || !c.want && (w.Code != 421 || strings.Contains(w.Body.String(), "evil")) {
				t.Errorf("Host %q: %v, %d %s, want %v", c.host, through, w.Code, w.Body, c.want)
			}
		})
	}
	for _, name := range []string{"", "http://ledger.example", "ledger.example:443", "ledger.example/v1", "*", "*.example", "a..b", "bücher.example"} {
		if _, err := ParseHosts([]string{name}); err == nil {
			t.Errorf("%q is taken for a host", name)
		}
	}
}

func TestAPageOfAnotherOriginIsRefused(t *testing.T) {
	const ledger = "http://localhost:8080"
	for _, c := range []struct {
		name, method, path, headers string
		want                        bool
	}{
		{"a program", "POST", "/v1/apps/a/subjects/erase", "", true},
		{"a program that reads", "GET", "/v1/replay", "", true},
		{"a page of another origin", "POST", "/v1/apps/a/subjects/erase", "Origin: http://evil.example", false},
		{"one that reads", "GET", "/v1/replay", "Origin: http://evil.example", false},
		{"one that asks for headers only", "HEAD", "/v1/replay", "Origin: http://evil.example", false},
		{"one that asks before it sends", "OPTIONS", "/v1/replay", "Origin: http://evil.example", false},
		{"a page without an origin, as in a sandbox or a file", "POST", "/v1/rejected/1/retry", "Origin: null", false},
		{"a page of another port", "POST", "/v1/rejected/1/retry", "Origin: http://localhost:3000", false},
		{"a page of another name of this machine", "GET", "/v1/replay", "Origin: http://127.0.0.1:8080", false},
		{"an image, which has no Origin", "GET", "/v1/replay", "Sec-Fetch-Site: cross-site", false},
		{"an image on a page of another port", "GET", "/v1/replay", "Sec-Fetch-Site: same-site", false},
		{"a form of another site", "POST", "/v1/rejected/1/retry", "Sec-Fetch-Site: cross-site\nOrigin: http://evil.example", false},
		{"a link on another site to what is personal", "GET", "/v1/replay", "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document", false},
		{"our own page", "POST", "/v1/rejected/1/retry", "Sec-Fetch-Site: same-origin\nOrigin: http://localhost:8080", true},
		{"our own page in an older browser", "POST", "/v1/rejected/1/retry", "Origin: http://localhost:8080", true},
		{"our own page that reads", "GET", "/v1/replay", "Sec-Fetch-Site: same-origin", true},
		{"an address that somebody typed", "GET", "/v1/replay", "Sec-Fetch-Site: none", true},
		{"a link to what is public", "GET", "/", "Sec-Fetch-Site: cross-site", true},
		{"a link to the description", "GET", "/openapi.json", "Sec-Fetch-Site: cross-site", true},
		{"a link to a log", "GET", "/log/a/checkpoint", "Sec-Fetch-Site: cross-site\nOrigin: http://evil.example", true},
		{"a link to a calendar", "GET", "/v1/apps/a/feeds/secret/deadlines.ics", "Sec-Fetch-Site: cross-site", true},
		{"a path that leads out of what is public", "GET", "/log/../v1/replay", "Sec-Fetch-Site: cross-site", false},
		{"a path that only ends as a calendar", "GET", "/v1/apps/a/subjects/feeds/x/deadlines.ics", "Sec-Fetch-Site: cross-site", false},
		{"an identity provider that sends somebody back", "GET", "/ui/sign-in/callback?code=c&state=s", "Sec-Fetch-Site: cross-site", true},
		{"a link to the first sign-in", "GET", "/ui/setup?code=c", "Sec-Fetch-Site: cross-site", true},
		{"a foreign form that signs in", "POST", "/ui/setup", "Sec-Fetch-Site: cross-site\nOrigin: http://evil.example", false},
		{"a link to a page", "GET", "/ui/", "Sec-Fetch-Site: cross-site", false},
		{"a link that begins a sign-in", "GET", "/ui/sign-in/provider", "Sec-Fetch-Site: cross-site", false},
		{"writing to what is public", "POST", "/log/a/checkpoint", "Sec-Fetch-Site: cross-site", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.headers != "" {
				headers = strings.Split(c.headers, "\n")
			}
			if status, through := ask(t, Hosts{}, c.method, ledger+c.path, headers...); through != c.want || !c.want && status != 403 {
				t.Errorf("%s %s with %s: %d, %v", c.method, c.path, c.headers, status, through)
			}
		})
	}
}
