package server

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A lockedText is a log that is read while it is written.
type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await waits until the log has a text.
func (l *lockedText) await(t *testing.T, want string) {
	t.Helper()
	for late := time.Now().Add(time.Minute); !strings.Contains(l.String(), want); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("no %q in the log: %s", want, l)
		}
	}
}

// TestAHandlerThatPanicsTellsNothingOfARequest: neither what it panicked with nor who asked is
// in the log; where it broke is. The connection is cut off.
func TestAHandlerThatPanicsTellsNothingOfARequest(t *testing.T) {
	var said lockedText
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	breaks := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		panic(errors.New("of " + r.URL.Query().Get("subject")))
	})
	go ServeHTTP(t.Context(), l, breaks, slog.New(slog.NewTextHandler(&said, nil)))

	if resp, err := http.Get("http://" + l.Addr().String() + "/?subject=secret-person"); err == nil {
		t.Errorf("whoever asked is answered %s", resp.Status)
	}
	said.await(t, "panic")
	if s := said.String(); strings.Contains(s, "secret-person") || strings.Contains(s, "127.0.0.1") ||
		!strings.Contains(s, "otherlog_test.go") || !strings.Contains(s, "*errors.errorString") {
		t.Error(s)
	}
}

func TestTheLinesOfNetHTTPSayNoAddress(t *testing.T) {
	for line, want := range map[string]string{
		"http: TLS handshake error from 203.0.113.9:4711: EOF":                    "TLS handshake error from (address): EOF",
		"http: TLS handshake error from [2001:db8::1%eth0]:4711: EOF":             "TLS handshake error from (address): EOF",
		"http: x: read tcp 192.0.2.1:443->203.0.113.9:47: reset by peer":          "read tcp (address)->(address): reset by peer",
		`x509: "CN=Ada" is not trusted, while "a \"b\" c" was looked at`:          `x509: \"...\" is not trusted, while \"...\" was looked at`,
		"http: superfluous response.WriteHeader call from main.f (otherlog.go:9)": "from main.f (otherlog.go:9)",
	} {
		var said bytes.Buffer
		errorLog(slog.New(slog.NewTextHandler(&said, nil))).Print(line)
		if s := said.String(); !strings.Contains(s, want) || strings.Contains(s, "4711") || strings.Contains(s, "Ada") {
			t.Errorf("%s: %s", line, s)
		}
	}
}

// TestTheNATSServerLogsNothingOfWhoSends: it says of a connection that breaks the protocol
// what it could not read, and of whom it refuses what they call themselves.
func TestTheNATSServerLogsNothingOfWhoSends(t *testing.T) {
	var said lockedText
	s, err := StartNATS(t.TempDir(), "127.0.0.1:0", slog.New(slog.NewTextHandler(&said, nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.WaitForShutdown()
	defer s.Shutdown()

	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, `CONNECT {"verbose":false,"name":"secret-name"}`+"\r\nPUB a 4\r\nsecret-words\r\n")

	said.await(t, "parser ERROR")
	if text := said.String(); strings.Contains(text, "secret") || strings.Contains(text, "127.0.0.1") || !strings.Contains(text, "cid:") {
		t.Error(text)
	}
}
