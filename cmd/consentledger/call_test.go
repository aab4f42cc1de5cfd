package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"consentledger/cmd/internal/exit"
)

// An answer that comes line by line and breaks off ends with a line that says why: that is an error of the
// call, and nothing that it prints.
func TestACallWhoseAnswerBreaksOffFails(t *testing.T) {
	t.Parallel()
	const line = `{"position":1}` + "\n"
	for answer, is := range map[string]func(error) bool{
		line: func(err error) bool { return err == nil },
		line + `{"error":{"status":503,"code":"service-unavailable","detail":"ask again"}}` + "\n": func(err error) bool {
			p, is := errors.AsType[*exit.ProblemError](err)
			return is && p.Code == "service-unavailable" && strings.Contains(err.Error(), "the answer broke off: ask again")
		},
		line + `{"posi`: func(err error) bool { return errors.Is(err, exit.ErrUnreachable) },
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-ndjson")
			fmt.Fprint(w, answer)
		}))
		out, err := cli(t, &running{http: s.URL}, "call", "GET", "/v1/replay")
		if out != line || !is(err) {
			t.Errorf("printed %q, %v", out, err)
		}
		s.Close()
	}
}
