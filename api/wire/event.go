// Package wire has the shapes that the outside world sends and gets: events,
// receipts, checks, histories and problems. Its errors are refusals that name
// a member and what would be right, and never hold what was sent.
package wire

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"

	"consentledger/domain"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxEvent is how many bytes an event may have.
const MaxEvent = 256 << 10

// maxSequence is the largest integer that every JSON reader knows exactly.
const maxSequence = 1<<53 - 1

// ParseEvent reads a CloudEvent in the structured JSON form. RecordedBy is
// "unauthenticated" until the caller says better.
func ParseEvent(app domain.AppName, structured []byte) (ledger.Request, error) {
	if len(structured) > MaxEvent {
		return ledger.Request{}, errLarge
	}
	attrs, data, err := members(structured)
	if err != nil {
		return ledger.Request{}, err
	}
	return parse(app, attrs, data)
}

// ParseBinary reads a CloudEvent whose attributes came as headers: lower-case
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
	return parse(app, attrs, data)
}

var errLarge = domain.Refusal{Code: domain.TooLarge, Text: fmt.Sprintf("an event has at most %d bytes; keep documents elsewhere and name their hash", MaxEvent)}

func malformed(format string, args ...any) error {
	return domain.Refusal{Code: domain.Malformed, Text: fmt.Sprintf(format, args...)}
}

// wrong is malformed for one member: its path, and then what is wrong with it.
func wrong(path, format string, args ...any) error {
	return domain.Refusal{Code: domain.Malformed, Path: path, Text: path + fmt.Sprintf(format, args...)}
}

// members takes a structured event apart: its attributes as text, and its data.
func members(structured []byte) (map[string]string, jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(structured))
	if d.PeekKind() != '{' {
		return nil, nil, notJSON(nil, "the event")
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, nil, notJSON(err, "the event")
	}
	attrs := make(map[string]string, 10)
	var data jsontext.Value
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return nil, nil, notJSON(err, "the event")
		}
		name := t.String()
		v, err := d.ReadValue()
		if err != nil {
			return nil, nil, notJSON(err, "the event")
		}
		if name == "data" {
			data = v.Clone()
			continue
		}
		text, err := attribute(name, v)
		if err != nil {
			return nil, nil, err
		}
		if v.Kind() != 'n' {
			attrs[name] = text
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, nil, notJSON(err, "the event")
	}
	if len(bytes.TrimLeft(structured[d.InputOffset():], " \t\r\n")) > 0 {
		return nil, nil, malformed("the event is one JSON object, with nothing behind it")
	}
	return attrs, data, nil
}

// attribute returns the text of an attribute's value.
func attribute(name string, v jsontext.Value) (string, error) {
	if name == "data_base64" {
		return "", malformed(`data_base64 is not taken: put a JSON object into "data"`)
	}
	if !isAttribute(name) {
		return "", malformed("%s: an attribute's name is 1 to 64 lower-case letters and digits", shown(name))
	}
	switch v.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return "", malformed("%s must be valid text", shown(name))
		}
		return string(text), nil
	case '0':
		if name == "sequence" {
			return string(v), nil
		}
	case 't', 'f', 'n':
	default:
		return "", malformed("%s must be a string", shown(name))
	}
	if isText(name) && v.Kind() != 'n' {
		return "", malformed("%s must be a string", name)
	}
	return string(v), nil
}

// isText reports whether the attribute that we read is text.
func isText(name string) bool {
	switch name {
	case "specversion", "id", "source", "type", "time", "subject", "sequence", "actor", "onbehalfof", "dataschema", "datacontenttype":
		return true
	}
	return false
}

func isAttribute(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// parse is the one road from attributes and data to a request.
func parse(app domain.AppName, attrs map[string]string, data jsontext.Value) (ledger.Request, error) {
	r := ledger.Request{App: app, ID: attrs["id"], Source: attrs["source"], RecordedBy: "unauthenticated"}
	if attrs["specversion"] != "1.0" {
		return ledger.Request{}, wrong("specversion", ` must be "1.0"`)
	}
	for _, name := range []string{"id", "source"} {
		if v := attrs[name]; v == "" || len(v) > 512 || !utf8.ValidString(v) {
			return ledger.Request{}, wrong(name, " is missing or too long: give 1 to 512 bytes of text")
		}
	}
	if err := checkContentType(attrs["datacontenttype"]); err != nil {
		return ledger.Request{}, err
	}
	if err := times(&r, attrs); err != nil {
		return ledger.Request{}, err
	}
	if err := persons(&r, attrs); err != nil {
		return ledger.Request{}, err
	}
	read, ok := commands[attrs["type"]]
	if !ok {
		return ledger.Request{}, wrong("type", " must be one of %s", strings.Join(Types(), ", "))
	}
	canonical, err := canonicalData(data)
	if err != nil {
		return ledger.Request{}, err
	}
	if r.Command, err = read(canonical); err != nil {
		return ledger.Request{}, err
	}
	r.Body, err = body(r, attrs["type"], canonical)
	return r, err
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

func times(r *ledger.Request, attrs map[string]string) (err error) {
	if t, ok := attrs["time"]; ok {
		if r.At, err = domain.ParseInstant(t); err != nil {
			return wrong("time", ": %v", err)
		}
	}
	if s, ok := attrs["sequence"]; ok {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil || n == 0 || n > maxSequence || s[0] == '0' || s[0] == '+' {
			return wrong("sequence", " must be an integer from 1 to %d", int64(maxSequence))
		}
		r.Sequence = n
	}
	return nil
}

func persons(r *ledger.Request, attrs map[string]string) (err error) {
	if attrs["subject"] == "" {
		return wrong("subject", ` is missing: name the person as "account:ID" or "device:ID"`)
	}
	if r.Person, err = domain.ParsePersonKey(attrs["subject"]); err != nil {
		return wrong("subject", ": %v", err)
	}
	switch a := attrs["actor"]; a {
	case "":
		r.Actor = "person"
	case "person", "guardian", "operator", "system", "authority":
		r.Actor = a
	default:
		return wrong("actor", " must be person, guardian, operator, system or authority")
	}
	if o, ok := attrs["onbehalfof"]; ok && !isName(o, 64) {
		return wrong("onbehalfof", ` must be a name of 1 to 64 of a-z, 0-9 and "-", not a person's id: it is kept in the clear`)
	}
	r.OnBehalfOf = attrs["onbehalfof"]
	return nil
}

// canonicalData returns data as RFC 8785 writes it, and refuses what that
// could not write without loss.
func canonicalData(data jsontext.Value) (jsontext.Value, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, wrong("data", " is missing: give a JSON object")
	}
	v := data.Clone()
	d := jsontext.NewDecoder(bytes.NewBuffer(v))
	if d.PeekKind() != '{' {
		return nil, wrong("data", " must be a JSON object")
	}
	for {
		t, err := d.ReadToken()
		if err != nil {
			return nil, notJSON(err, "data")
		}
		if t.Kind() == '0' && !isExact(t.String()) {
			return nil, wrong("data", "%s is a number that not every reader knows exactly: write it as a string", pathOf("", d.StackPointer()))
		}
		if d.StackDepth() > 64 {
			return nil, wrong("data", " is nested deeper than 64 levels")
		}
		if d.StackDepth() == 0 {
			break
		}
	}
	if err := v.Canonicalize(); err != nil { // looks at what is behind it, too
		return nil, notJSON(err, "data")
	}
	return v, nil
}

func isExact(number string) bool {
	if _, err := strconv.ParseFloat(number, 64); err != nil {
		return false
	}
	if strings.ContainsAny(number, ".eE") {
		return true
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return err == nil && n <= maxSequence && n >= -maxSequence
}

// body is what an event says, canonical, whichever way it came.
func body(r ledger.Request, kind string, data jsontext.Value) ([]byte, error) {
	b := struct {
		Data     jsontext.Value `json:"data"`
		Sequence uint64         `json:"sequence,omitzero"`
		Subject  string         `json:"subject"`
		Time     string         `json:"time,omitzero"`
		Type     string         `json:"type"`
	}{Data: data, Sequence: r.Sequence, Subject: r.Person.String(), Type: kind}
	if r.At != 0 {
		b.Time = r.At.String()
	}
	out, err := json.Marshal(&b)
	if err != nil {
		return nil, malformed("the event cannot be written as JSON")
	}
	return out, nil // members stand sorted, and none needs escaping
}

// notJSON says what is wrong with a text that is no JSON, and where.
func notJSON(err error, what string) error {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return malformed("%s: the same name stands twice in one object", pathOf(what, e.JSONPointer))
		}
		return malformed("%s is not valid JSON in UTF-8 (near byte %d)", pathOf(what, e.JSONPointer), e.ByteOffset)
	}
	return malformed("%s must be a JSON object", what)
}

// pathOf writes a place as "data.purposes[1]". What is inside details, or
// does not look like the name of a member, may be personal and is not shown.
func pathOf(root string, p jsontext.Pointer) string {
	path := root
	for name := range p.Tokens() {
		if n, err := strconv.Atoi(name); err == nil && len(name) <= 4 {
			path += fmt.Sprintf("[%d]", n)
			continue
		}
		path += "." + shown(name)
		if name == "details" {
			break
		}
	}
	return path
}

// shown returns a member's name if it looks like one.
func shown(name string) string {
	if name == "" || len(name) > 32 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") != "" {
		return "(a name)"
	}
	return name
}

// isName reports whether s is written like a purpose's id.
func isName(s string, max int) bool {
	if len(s) > max {
		return false
	}
	_, err := domain.ParsePurposeID(s)
	return err == nil
}
