package edge

import (
	"net/http"
	"strings"

	"consentledger/api/problems"
	"consentledger/api/wire"

	"github.com/go-json-experiment/json"
)

// A Refused is why a request is not taken.
type Refused struct {
	wire.Problem
	Allow string // the methods that are, where one is not
}

func (e *Refused) Error() string { return e.Detail }

// refuse says what would be right. It never repeats what was sent.
func refuse(status int, detail string) *Refused { return &Refused{Problem: Plain(status, detail)} }

// malformed is a problem with one parameter or header.
func malformed(path, detail string) *Refused {
	p := Plain(http.StatusBadRequest, detail)
	p.Type, p.Title, p.Code, p.Path = "urn:consentledger:problem:malformed", "Malformed", "malformed", path
	return &Refused{Problem: p}
}

// Plain is the problem that a status alone makes; without a detail it says the
// status in words.
func Plain(status int, detail string) wire.Problem {
	title := http.StatusText(status)
	code := strings.ReplaceAll(strings.ToLower(title), " ", "-")
	if detail == "" {
		detail = title
	}
	outcome := wire.Refused
	if status >= http.StatusInternalServerError {
		outcome = wire.Unknown
	}
	return wire.Problem{
		Type: "urn:consentledger:problem:" + code, Title: title, Status: status, Code: code, Detail: detail,
		Outcome: outcome,
	}
}

// Write answers with a problem.
func Write(w http.ResponseWriter, p wire.Problem) {
	b, err := json.Marshal(p)
	if err != nil {
		panic("edge: a problem does not make JSON: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Add("Link", problems.Link(p.Code))
	w.WriteHeader(p.Status)
	w.Write(b)
}
