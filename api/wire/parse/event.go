// Package parse reads what the outside world sends: events in both modes of CloudEvents,
// and questions. Its errors are refusals that name a member and what would be right, and
// never hold what was sent.
//
// An event is read to the letter, but for an opt-out: what stands beside what is
// opted out of, and of whom, does not refuse it; see optout.go. Escapes in the
// headers of binary mode are undone as escapes.go says.
package parse

import (
	"fmt"
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxEvent is how many bytes an event may have.
const MaxEvent = 256 << 10

// maxSequence is the largest integer that every JSON reader knows exactly.
const maxSequence = 1<<53 - 1

// Event reads a CloudEvent in the structured JSON form, as it comes
// at an endpoint for apps: it is about a person, and what only operators may
// say is refused. RecordedBy is "unauthenticated" until the caller says better.
func Event(app ident.AppName, structured []byte) (ledger.Request, error) {
	return parseStructured(app, structured, true)
}

// OperatorEvent is Event for the endpoint of operators: what is about the
// app as a whole names no person, and the actor is an operator unless the event
// says another.
func OperatorEvent(app ident.AppName, structured []byte) (ledger.Request, error) {
	return parseStructured(app, structured, false)
}

// EventForGroup is Event for what is said to every app of a group at
// once, before it is known which they are. What gives consent is refused: the
// apps' consents stay apart.
func EventForGroup(structured []byte) (ledger.Request, error) {
	r, err := parseStructured("", structured, true)
	if err == nil && !kinds[TypeOf(r)].fans {
		err = wrong("type", " does not go to a group of apps: send refusals, withdrawals and what is about the "+
			"person's account, and everything else to one app")
	}
	if err != nil {
		return ledger.Request{}, err
	}
	return r, nil
}

// parseStructured reads an event to the letter. If it is an opt-out that cannot be
// read so, what stands beside the opt-out does not refuse it; see [parseLoosely].
func parseStructured(app ident.AppName, structured []byte, fromApp bool) (ledger.Request, error) {
	if len(structured) > MaxEvent {
		return ledger.Request{}, errLarge
	}
	structured = WithoutMark(structured)
	r, err := parseToTheLetter(app, structured, fromApp)
	if err == nil {
		return r, nil
	}
	if e, is := looseMembers(structured); is {
		return parseLoosely(app, e, err, fromApp)
	}
	return ledger.Request{}, err
}

func parseToTheLetter(app ident.AppName, structured []byte, fromApp bool) (ledger.Request, error) {
	attrs, data, err := members(structured)
	if err != nil {
		return ledger.Request{}, err
	}
	return parse(app, attrs, data, fromApp)
}

var errLarge = refusal.Refusal{Code: refusal.TooLarge,
	Text: fmt.Sprintf("an event has at most %d bytes; keep documents elsewhere and name their hash", MaxEvent)}

func malformed(format string, args ...any) error {
	return refusal.Refusal{Code: refusal.Malformed, Text: fmt.Sprintf(format, args...)}
}

// wrong is malformed for one member: its path, and then what is wrong with it.
func wrong(path, format string, args ...any) error {
	return refusal.Refusal{Code: refusal.Malformed, Path: path, Text: path + fmt.Sprintf(format, args...)}
}

// ownSources are the names under which the ledger records of itself: whoever
// could send as one of them could take the identity of what it will record.
var ownSources = map[string]bool{"check": true, "consentledger/clock": true, "consentledger/intake": true,
	"consentledger/proposals": true, "erasure": true, "ledger": true, "react": true, "rest": true}

// parse makes a request of attributes and data.
func parse(app ident.AppName, attrs attributes, data jsontext.Value, fromApp bool) (ledger.Request, error) {
	if attrs.get("specversion") != "1.0" {
		return ledger.Request{}, wrong("specversion", ` must be "1.0"`)
	}
	r := ledger.Request{
		App: app, RecordedBy: ident.Unauthenticated, FromApp: fromApp, Traceparent: attrs.get(traceparent),
	}
	if err := name(&r, attrs); err != nil {
		return ledger.Request{}, err
	}
	if err := checkContentType(attrs.get("datacontenttype")); err != nil {
		return ledger.Request{}, err
	}
	if err := times(&r, attrs); err != nil {
		return ledger.Request{}, err
	}
	k, ok := kinds[attrs.get("type")]
	if !ok {
		return ledger.Request{}, unknownType(attrs.get("type"))
	}
	if err := k.subject(&r, attrs); err != nil {
		return ledger.Request{}, err
	}
	if err := actors(&r, attrs); err != nil {
		return ledger.Request{}, err
	}

	canonical, err := canonicalData(data)
	if err != nil {
		return ledger.Request{}, err
	}
	if err := readData(&r, k, canonical); err != nil {
		if string(canonical) == noData {
			err = wrong("data", " is missing: give a JSON object")
		}
		return ledger.Request{}, err
	}
	r.Body = bodyOf(canonical, &r, k.name)
	return r, nil
}

// name reads what the event is called, and who calls it so.
func name(r *ledger.Request, attrs attributes) error {
	r.ID, r.Source = attrs.get("id"), attrs.get("source")
	for _, name := range []string{"id", "source"} {
		if v := attrs.get(name); v == "" || len(v) > 512 || !utf8.ValidString(v) {
			return wrong(name, " is missing or too long: give 1 to 512 bytes of text")
		}
	}

	if uri := normalURI(r.Source); uri != r.Source {
		r.Former = ledger.Name{Source: r.Source, ID: r.ID}
		r.Source = uri
	}

	if ownSources[r.Source] {
		return wrong("source", " is one that the ledger itself sends as: name your own, as in smartkey/android")
	}
	return nil
}

// readData reads data, which are canonical: the command, and whom and what it
// names.
func readData(r *ledger.Request, k kind, data []byte) error {
	members := reader{kind: k.name}
	if r.Command = k.read(&members, data); members.err != nil {
		return members.err
	}
	r.Other = members.other
	if r.Stream = members.stream; r.Stream.ID != "" {
		if r.Stream.App != "" && r.Stream.App != r.App {
			return wrong("data.stream", " is of another app")
		}
		r.Stream.App = r.App
	}
	return nil
}

// unknownType refuses a type that nobody sends.
func unknownType(name string) error {
	if own, _ := catalog.NoteRuleOf(catalog.Note(name)); own.Own {
		return domain.ErrOwnNote
	}
	return wrong("type", ` must be one of those that "consentledger schema list" shows`)
}

// checkContentType refuses data that are said to be no JSON.
func checkContentType(s string) error {
	if s == "" || isJSON(s) {
		return nil
	}
	return wrong("datacontenttype", " must be application/json, or another type of JSON")
}

// isJSON reports whether a content type is one of JSON, as application/json and
// application/vnd.shop+json are.
func isJSON(contentType string) bool {
	kind, ok := mediaType(contentType)
	return ok && (kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json"))
}

// mediaType returns a content type without its parameters, in lower case. What is
// wrong with a parameter does not make it another type.
func mediaType(contentType string) (kind string, ok bool) {
	kind, _, _ = strings.Cut(contentType, ";")
	kind, _, err := mime.ParseMediaType(kind)
	return kind, err == nil
}

func times(r *ledger.Request, attrs attributes) error {
	if err := happened(r, attrs); err != nil {
		return err
	}
	return numbered(r, attrs)
}

// happened reads when the event happened.
func happened(r *ledger.Request, attrs attributes) (err error) {
	t, ok := attrs.lookup("time")
	if !ok {
		return nil
	}
	if r.At, err = deadline.ParseInstant(t); err != nil {
		return wrong("time", ": %v", err)
	}
	return nil
}

// numbered reads the source's own number.
func numbered(r *ledger.Request, attrs attributes) error {
	s, ok := attrs.lookup("sequence")
	if !ok {
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 || n > maxSequence || s[0] == '0' || s[0] == '+' {
		return wrong("sequence", " must be an integer from 1 to %d", int64(maxSequence))
	}
	r.Sequence = n
	return nil
}

// actors reads in what part somebody acts, and for whom.
func actors(r *ledger.Request, attrs attributes) error {
	if err := acts(r, attrs); err != nil {
		return err
	}
	return onBehalf(r, attrs)
}

// acts reads in what part somebody acts.
func acts(r *ledger.Request, attrs attributes) error {
	r.Actor = string(ident.Person)
	if !r.FromApp {
		r.Actor = string(ident.Operator)
	}
	switch a := ident.Actor(attrs.get("actor")); a {
	case "":
	case ident.Person, ident.Guardian, ident.Operator, ident.System, ident.Authority:
		r.Actor = string(a)
	default:
		return wrong("actor", " must be person, guardian, operator, system or authority")
	}
	return nil
}

// onBehalf reads for whom somebody acts.
func onBehalf(r *ledger.Request, attrs attributes) error {
	o, ok := attrs.lookup("onbehalfof")
	if ok && !IsName(o, 64) {
		return wrong("onbehalfof",
			` must be a name of 1 to 64 of a-z, 0-9 and "-", not a person's id: it is kept in the clear`)
	}
	r.OnBehalfOf = o
	return nil
}
