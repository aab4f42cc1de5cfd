// Package problems is the table of every code by which the ledger refuses something, over
// HTTP and over NATS: what it means, and what to do. The program serves a page for each at
// /v1/errors/CODE; docs/errors.md is made of the same table.
//
// The type of a problem, urn:consentledger:problem:CODE, is a name for ever and no
// address: a message over NATS came from nowhere that a path could lead to. What it names
// is explained at [Path] of any ledger, and HTTP says so in a Link header.
package problems

import (
	"net/http"
	"slices"
	"strings"

	"consentledger/api/wire"
	"consentledger/domain/refusal"
)

// An ErrorCode explains a code. Codes are never renamed.
type ErrorCode struct {
	Code   string `json:"code" example:"malformed"`
	Status int    `json:"status" doc:"of HTTP; 0: it is the code of a rejected message alone"`
	Means  string `json:"means"`
	Do     string `json:"do" doc:"what to do"`
}

// Base is where the pages are; their codes follow.
const Base = "/v1/errors/"

// Path returns where a code is explained.
func Path(code string) string { return Base + code }

// Link is the header Link by which a problem says so.
func Link(code string) string { return "<" + Path(code) + `>; rel="help"` }

// Of returns the row of a code.
func Of(code string) (ErrorCode, bool) {
	i := slices.IndexFunc(Table, func(r ErrorCode) bool { return r.Code == code })
	if i < 0 {
		return ErrorCode{}, false
	}
	return Table[i], true
}

// refused is the row of a refusal of the domain, whose status follows from its code.
func refused(code refusal.Code, means, do string) ErrorCode {
	status := wire.ProblemOf(refusal.Refusal{Code: code}).Status
	return ErrorCode{Code: string(code), Status: status, Means: means, Do: do}
}

// plain is the row of a status that has no other code.
func plain(status int, means, do string) ErrorCode {
	code := strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "-")
	return ErrorCode{Code: code, Status: status, Means: means, Do: do}
}
