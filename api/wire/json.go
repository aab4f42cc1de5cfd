package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"consentledger/domain"

	"github.com/go-json-experiment/json/jsontext"
)

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
