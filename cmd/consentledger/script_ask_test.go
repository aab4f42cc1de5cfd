package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptAsk asks the server over HTTP and wants a status: ask STATUS METHOD PATH
// [HEADER: VALUE]... [BODY]. It prints the header ETag, if there is one, and the
// body. What begins with a brace is a body.
func scriptAsk(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	headers, body := args[3:], ""
	if n := len(headers); n > 0 && strings.HasPrefix(headers[n-1], "{") {
		headers, body = headers[:n-1], headers[n-1]
	}
	req, err := http.NewRequest(args[1], ts.Getenv("CONSENTLEDGER_SERVER")+args[2], strings.NewReader(body))
	ts.Check(err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}

	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if tag := resp.Header.Get("ETag"); tag != "" {
		fmt.Fprintf(ts.Stdout(), "ETag: %s\n", tag)
	}
	fmt.Fprintf(ts.Stdout(), "%s\n", text)
	if resp.StatusCode != want {
		ts.Fatalf("%s %s: status %d, want %d\n%s", args[1], args[2], resp.StatusCode, want, text)
	}
}
