// Package wire has the shapes that the outside world sends and gets: events,
// receipts, checks, histories and problems. Its errors are refusals that name
// a member and what would be right, and never hold what was sent.
package wire

import (
	"fmt"
	"mime"
	"strconv"
	"sync"
	"unicode/utf8"

	"consentledger/domain"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxEvent is how many bytes an event may have.
const MaxEvent = 256 << 10

// maxSequence is the largest integer that every JSON reader knows exactly.
const maxSequence = 1<<53 - 1

// ParseEvent reads a CloudEvent in the structured JSON form, as it comes
// through a door for apps: it is about a person, and what only operators may
// say is refused. RecordedBy is "unauthenticated" until the caller says better.
func ParseEvent(app domain.AppName, structured []byte) (ledger.Request, error) {
	return parseStructured(app, structured, true)
}

// ParseOperatorEvent is ParseEvent for the door of operators: what is about the
// app as a whole names no person, and the actor is an operator unless the event
// says another.
func ParseOperatorEvent(app domain.AppName, structured []byte) (ledger.Request, error) {
	return parseStructured(app, structured, false)
}

// ParseGroupEvent is ParseEvent for what is said to every app of a group at
// once, before it is known which they are. What gives consent is refused: the
// apps' consents stay apart.
func ParseGroupEvent(structured []byte) (ledger.Request, error) {
	r, err := parseStructured("", structured, true)
	if err != nil {
		return r, err
	}
	if attrs, _, err := members(structured); err != nil || !kinds[attrs.get("type")].fans {
		return r, wrong("type", " does not go to a group of apps: send refusals, withdrawals and what is about the person's account, and everything else to one app")
	}
	return r, nil
}

func parseStructured(app domain.AppName, structured []byte, fromApp bool) (ledger.Request, error) {
	if len(structured) > MaxEvent {
		return ledger.Request{}, errLarge
	}
	var room [16]attribute // for those that are known
	if attrs, begun, ok := plainMembers(room[:0], structured); ok {
		return parse(app, attrs, nil, begun, fromApp)
	}
	attrs, data, err := members(structured)
	if err != nil {
		return ledger.Request{}, err
	}
	return parse(app, attrs, data, nil, fromApp)
}

// ParseBinary is ParseEvent. It reads a CloudEvent whose attributes came as headers: lower-case
// names without the prefix "ce-", values already decoded.
func ParseBinary(app domain.AppName, attrs map[string]string, data []byte) (ledger.Request, error) {
	if len(data) > MaxEvent {
		return ledger.Request{}, errLarge
	}
	for name := range attrs {
		if name == "data" || !isAttribute(name) {
			return ledger.Request{}, malformed("an attribute's name is 1 to 64 lower-case letters and digits")
		}
	}
	return parse(app, attributesOf(attrs), data, nil, true)
}

var errLarge = domain.Refusal{Code: domain.TooLarge, Text: fmt.Sprintf("an event has at most %d bytes; keep documents elsewhere and name their hash", MaxEvent)}

func malformed(format string, args ...any) error {
	return domain.Refusal{Code: domain.Malformed, Text: fmt.Sprintf(format, args...)}
}

// wrong is malformed for one member: its path, and then what is wrong with it.
func wrong(path, format string, args ...any) error {
	return domain.Refusal{Code: domain.Malformed, Path: path, Text: path + fmt.Sprintf(format, args...)}
}

// ownSources are the names under which the ledger records of itself: whoever
// could send as one of them could take the identity of what it will record.
var ownSources = map[string]bool{"check": true, "consentledger/clock": true, "erasure": true, "ledger": true, "react": true, "rest": true}

// parse is the one road from attributes and data to a request. Begun is the
// body that data begin, if that is known already; else nil.
func parse(app domain.AppName, attrs attributes, data jsontext.Value, begun []byte, fromApp bool) (ledger.Request, error) {
	r := ledger.Request{App: app, ID: attrs.get("id"), Source: attrs.get("source"), RecordedBy: domain.Unauthenticated, FromApp: fromApp}
	if attrs.get("specversion") != "1.0" {
		return ledger.Request{}, wrong("specversion", ` must be "1.0"`)
	}
	for _, name := range []string{"id", "source"} {
		if v := attrs.get(name); v == "" || len(v) > 512 || !utf8.ValidString(v) {
			return ledger.Request{}, wrong(name, " is missing or too long: give 1 to 512 bytes of text")
		}
	}
	if ownSources[r.Source] {
		return ledger.Request{}, wrong("source", " is one that the ledger itself sends as: name your own, as in smartkey/android")
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
	if err := k.subject(&r, attrs.get("subject")); err != nil {
		return ledger.Request{}, err
	}
	if err := actors(&r, attrs); err != nil {
		return ledger.Request{}, err
	}
	if begun == nil {
		var err error
		if begun, err = begin(data); err != nil {
			return ledger.Request{}, err
		}
	}
	if err := readData(&r, k, begun[len(beforeData):]); err != nil {
		return ledger.Request{}, err
	}
	r.Body = end(begun, &r, k.name)
	return r, nil
}

// readers are used again.
var readers = sync.Pool{New: func() any { return new(reader) }}

// readData reads data, which are canonical: the command, and whom and what it
// names.
func readData(r *ledger.Request, k kind, data []byte) error {
	members := readers.Get().(*reader)
	defer func() {
		*members = reader{} // what was read is not held on to
		readers.Put(members)
	}()
	members.kind = k.name
	if r.Command = k.read(members, data); members.err != nil {
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
	if own, _ := domain.NoteRuleOf(domain.NoteKind(name)); own.Own {
		return domain.ErrOwnNote
	}
	return wrong("type", ` must be one of those that "consentledger schema list" shows`)
}

func checkContentType(s string) error {
	if s == "" || s == "application/json" {
		return nil
	}
	kind, _, err := mime.ParseMediaType(s)
	if err != nil || kind != "application/json" {
		return wrong("datacontenttype", " must be application/json")
	}
	return nil
}

func times(r *ledger.Request, attrs attributes) (err error) {
	if t, ok := attrs.lookup("time"); ok {
		if r.At, err = domain.ParseInstant(t); err != nil {
			return wrong("time", ": %v", err)
		}
	}
	if s, ok := attrs.lookup("sequence"); ok {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil || n == 0 || n > maxSequence || s[0] == '0' || s[0] == '+' {
			return wrong("sequence", " must be an integer from 1 to %d", int64(maxSequence))
		}
		r.Sequence = n
	}
	return nil
}

// actors reads in what part somebody acts, and for whom.
func actors(r *ledger.Request, attrs attributes) error {
	switch a := domain.Actor(attrs.get("actor")); a {
	case "":
		r.Actor = string(domain.Person)
		if !r.FromApp {
			r.Actor = string(domain.Operator)
		}
	case domain.Person, domain.Guardian, domain.Operator, domain.System, domain.Authority:
		r.Actor = string(a)
	default:
		return wrong("actor", " must be person, guardian, operator, system or authority")
	}
	if o, ok := attrs.lookup("onbehalfof"); ok && !isName(o, 64) {
		return wrong("onbehalfof", ` must be a name of 1 to 64 of a-z, 0-9 and "-", not a person's id: it is kept in the clear`)
	}
	r.OnBehalfOf = attrs.get("onbehalfof")
	return nil
}
