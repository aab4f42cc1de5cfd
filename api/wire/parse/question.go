package parse

import (
	"errors"
	"net/url"

	"consentledger/api/wire"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Check reads a [wire.CheckRequest] from JSON.
func Check(data []byte) (wire.CheckRequest, error) {
	return question[wire.CheckRequest](data, "the check")
}

// State reads a [wire.StateRequest] from JSON.
func State(data []byte) (wire.StateRequest, error) {
	return question[wire.StateRequest](data, "the request")
}

// Prompt reads a [wire.PromptRequest] from JSON.
func Prompt(data []byte) (wire.PromptRequest, error) {
	return question[wire.PromptRequest](data, "the request")
}

// Replay reads a [wire.ReplayRequest] from JSON.
func Replay(data []byte) (wire.ReplayRequest, error) {
	return question[wire.ReplayRequest](data, "the replay")
}

// question reads a question of known members, none of which is empty. A refusal calls it
// what.
func question[Q any](data []byte, what string) (Q, error) {
	var q, none Q
	if len(data) > MaxEvent {
		return none, errLarge
	}
	if err := json.Unmarshal(data, &q, json.RejectUnknownMembers(true)); err != nil {
		return none, wrongShape(err, rootOf(err, what))
	}
	return q, NoEmpty(data)
}

// rootOf returns what a refusal calls a question: a member of it is called by its own
// name alone, as the caller wrote it, and only the whole by what.
func rootOf(err error, what string) string {
	if e, ok := errors.AsType[*json.SemanticError](err); ok && e.JSONPointer != "" {
		return ""
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok && e.JSONPointer != "" {
		return ""
	}
	return what
}

// Accessor reads who is about to read, from the headers of a request.
func Accessor(reason, why, by string) (wire.Accessor, error) {
	r := wire.Accessor{Reason: reason}
	var err error
	if r.Why, err = url.PathUnescape(why); err == nil {
		r.By, err = url.PathUnescape(by)
	}
	if err != nil {
		return wire.Accessor{}, malformed("%s and %s are percent-encoded UTF-8", wire.WhyHeader, wire.ByHeader)
	}
	return r, nil
}
