package server

import (
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
)

// What is said of a connection by the servers that the ledger is built with, net/http and
// NATS, names who is at its other end: their address, what they call themselves, and bytes
// that they sent. None of it is shown.
var (
	address = regexp.MustCompile(`(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.%\w]*\]):\d+`)
	quoted  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	natsOf  = regexp.MustCompile(`^\S+ - [a-z_]+:\d+`) // the beginning of a line of a connection
)

// withoutSender returns what is said of a connection, without what is its sender's.
func withoutSender(line string) string {
	return quoted.ReplaceAllString(address.ReplaceAllString(line, "(address)"), `"..."`)
}

// An httpLog hands the lines of net/http to the ledger's log.
type httpLog struct{ log *slog.Logger }

// Write implements [io.Writer]: a line at a time, as package log does.
func (l httpLog) Write(line []byte) (int, error) {
	l.log.Warn("http server: " + withoutSender(strings.TrimSpace(string(line))))
	return len(line), nil
}

func errorLog(to *slog.Logger) *log.Logger { return log.New(httpLog{to}, "", 0) }

// surviving answers by h. net/http would log of a handler that panics with what, and for whom:
// the value may hold what was sent, and is not shown.
func surviving(h http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}

			if p != http.ErrAbortHandler {
				log.ErrorContext(r.Context(), "panic", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			}
			panic(http.ErrAbortHandler) // which cuts the answer off, and logs nothing
		}()
		h.ServeHTTP(w, r)
	})
}
