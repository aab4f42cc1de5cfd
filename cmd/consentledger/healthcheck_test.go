package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
)

// health runs the verb, and returns its exit code and the line that it prints, on
// whichever stream.
func health(t *testing.T, r *running, args ...string) (code int, line string) {
	t.Helper()
	out, err := cli(t, r, append([]string{"healthcheck"}, args...)...)
	if err == nil {
		return exit.CodeOK, out
	}
	if out != "" {
		t.Errorf("it fails and prints %q", out)
	}
	return exit.Code(t.Context(), err), err.Error()
}

func TestHealthcheckSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	store := newEventStore(t)
	r := startWith(t, server.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Store: store.url()})
	eventually(t, "ready\n", func() string { _, line := health(t, r); return line })
	if code, line := health(t, r); code != exit.CodeOK {
		t.Errorf("of a ledger that is well: %d %s", code, line)
	}

	store.stop()
	var line string
	eventually(t, "true", func() string {
		if _, line = health(t, r, "--within", "5m"); strings.HasPrefix(line, "not ready: store: ") {
			return "true"
		}
		return line
	})
	if strings.Contains(line, "\n") {
		t.Errorf("it is more than one line: %q", line)
	}
	store.start()
	eventually(t, "ready\n", func() string { _, line := health(t, r, "--within", "5m"); return line })
}

func TestHealthcheckKnowsOnlyTwoExitCodes(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	polite := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>welcome")) }))
	defer polite.Close()
	mute := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write([]byte(`{"ok":false}`))
	}))
	defer mute.Close()

	for _, c := range []struct {
		name, server, within, want string
	}{
		{"nobody listens", "http://127.0.0.1:1", "5m", "not ready: the server cannot be reached at http://127.0.0.1:1"},
		{"somebody listens and does not answer", "http://" + silent.Addr().String(), "50ms", "context deadline exceeded"},
		{"another server", other.URL, "5m", "not ready: what listens there is no consent ledger: it answered 404 Not Found"},
		{"another server that likes every path", polite.URL, "5m", "no consent ledger: it answered 200 OK"},
		{"a ledger that does not say why", mute.URL, "5m", "not ready: the server does not say why"},
		{"no address", "127.0.0.1:8080", "5m", "--server: want an address as in http://127.0.0.1:8080"},
		{"no time", other.URL, "0s", "--within: want a time above zero, as in 5s"},
	} {
		code, line := health(t, nil, "--server", c.server, "--within", c.within)
		if code != exit.CodeError || !strings.Contains(line, c.want) || strings.Contains(line, "\n") {
			t.Errorf("%s: exit code %d and %q, want 1 and %q", c.name, code, line, c.want)
		}
	}
}
