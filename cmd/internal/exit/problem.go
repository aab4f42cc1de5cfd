package exit

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"consentledger/api/wire"
)

// A ProblemError is a server's answer that is not what was asked for.
type ProblemError struct {
	Status int
	Code   string
	Detail string
}

func (e *ProblemError) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("the server says %d: %s", e.Status, e.Detail)
	}
	return e.Code + ": " + e.Detail
}

func (e *ProblemError) ExitCode() int {
	switch {
	case e.Status == http.StatusNotFound:
		return CodeNotFound
	case e.Status == http.StatusConflict:
		return CodeConflict
	case e.Status >= 500:
		return CodeUnavailable
	case e.Status == http.StatusBadRequest, e.Status == http.StatusRequestEntityTooLarge,
		e.Status == http.StatusUnsupportedMediaType:
		return CodeUsage
	}
	return CodeError
}

// ProblemOf reads what a server says is wrong.
func ProblemOf(status int, text []byte) error {
	var p struct{ Code, Detail, Title, Reason, Path string }
	if json.Unmarshal(text, &p) == nil && p.Reason != "" { // an answer that says why there is none
		return &ProblemError{status, wire.Unknown, p.Reason}
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
	return &ProblemError{status, p.Code, p.Detail}
}
