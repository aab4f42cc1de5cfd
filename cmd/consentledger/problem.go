package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"consentledger/api/wire"
	"consentledger/cmd/internal/exit"
)

// A problemError is a server's answer that is not what was asked for.
type problemError struct {
	status int
	code   string
	detail string
}

func (e *problemError) Error() string {
	if e.code == "" {
		return fmt.Sprintf("the server says %d: %s", e.status, e.detail)
	}
	return e.code + ": " + e.detail
}

func (e *problemError) ExitCode() int {
	switch {
	case e.status == http.StatusNotFound:
		return exit.CodeNotFound
	case e.status == http.StatusConflict:
		return exit.CodeConflict
	case e.status >= 500:
		return exit.CodeUnavailable
	case e.status == http.StatusBadRequest, e.status == http.StatusRequestEntityTooLarge, e.status == http.StatusUnsupportedMediaType:
		return exit.CodeUsage
	}
	return exit.CodeError
}

// problemOf reads what a server says is wrong.
func problemOf(status int, text []byte) error {
	var p struct{ Code, Detail, Title, Reason, Path string }
	if json.Unmarshal(text, &p) == nil && p.Reason != "" { // an answer that says why there is none
		return &problemError{status, wire.Unknown, p.Reason}
	}
	if p.Detail == "" && p.Title == "" {
		p.Detail = strings.TrimSpace(string(text))
	}
	if p.Detail == "" {
		p.Detail = p.Title
	}
	if p.Path != "" && !strings.HasPrefix(p.Detail, p.Path) {
		p.Detail = p.Path + ": " + p.Detail
	}
	return &problemError{status, p.Code, p.Detail}
}
