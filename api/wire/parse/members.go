package parse

import (
	"bytes"
	"encoding/base64"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// attributes is what an event says about itself: those attributes that are
// read here, each once. They are few: looking through them is quicker than a
// map.
type attributes []attribute

type attribute struct{ name, text string }

// known are the attributes that are read here. Their values are text.
var known = []string{
	"specversion", "id", "source", "type", "time", "subject", "sequence", "actor", "onbehalfof", "dataschema",
	"datacontenttype",
}

// traceparent is the attribute of CloudEvents' distributed tracing extension that
// says in which trace the event was made. It says nothing of the event: no wrong
// one refuses it, and nothing that is recorded or compared holds it.
//
// Its companion tracestate is a text of the sender's vendors, which may say
// anything: it is passed over like every attribute that is not known.
const traceparent, tracestate = "traceparent", "tracestate"

// lookup returns the text of an attribute and whether the event has it.
func (a attributes) lookup(name string) (string, bool) {
	for i := range a {
		if a[i].name == name {
			return a[i].text, true
		}
	}
	return "", false
}

func (a attributes) get(name string) string {
	text, _ := a.lookup(name)
	return text
}

// decoders are used again: every one remembers names in room of its own. That is worth
// 7 of the 213 microseconds of processor time that recording an event over HTTP takes.
var decoders = sync.Pool{New: func() any { return jsontext.NewDecoder(new(bytes.Buffer)) }}

// members takes a structured event apart: its attributes, and its data, which
// is a part of it.
func members(structured []byte) (attributes, jsontext.Value, error) {
	d := decoders.Get().(*jsontext.Decoder)
	defer func() {
		d.Reset(new(bytes.Buffer)) // what was read is not held on to
		decoders.Put(d)
	}()
	d.Reset(bytes.NewBuffer(structured))
	if d.PeekKind() != '{' {
		return nil, nil, notJSON(nil, "the event")
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, nil, notJSON(err, "the event")
	}

	attrs := make(attributes, 0, len(known))
	var data jsontext.Value
	for d.PeekKind() != '}' {
		name, err := readName(d)
		if err != nil {
			return nil, nil, notJSON(err, "the event")
		}
		v, err := d.ReadValue()
		if err != nil {
			return nil, nil, notJSON(err, "the event")
		}
		if name == "data" || name == "data_base64" {
			end := int(d.InputOffset())
			held, err := dataOf(name, structured[end-len(v):end])
			switch {
			case err != nil:
				return nil, nil, err
			case data != nil && held != nil:
				return nil, nil, malformed("an event has data or data_base64, and not both")
			case held != nil:
				data = held
			}
			continue
		}
		text, err := textOf(name, v)
		if err != nil {
			return nil, nil, err
		}
		if isKnown(name) && v.Kind() != 'n' || name == traceparent && text != "" {
			attrs = append(attrs, attribute{name, text})
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

// dataOf returns the data that a member holds; none if it is null.
func dataOf(name string, v jsontext.Value) (jsontext.Value, error) {
	switch {
	case v.Kind() == 'n':
		return nil, nil
	case name == "data":
		return v, nil
	}
	data, err := base64.StdEncoding.DecodeString(textIn(v))
	if err != nil || v.Kind() != '"' {
		return nil, malformed(`data_base64 must be the Base64 of a JSON object; better put the object itself into "data"`)
	}
	return data, nil
}

// textIn returns the text of a value if it is one.
func textIn(v jsontext.Value) string {
	if v.Kind() != '"' {
		return ""
	}
	return unquote(bytes.TrimSpace(v))
}

// readName reads a member's name. The usual ones take no memory.
func readName(d *jsontext.Decoder) (string, error) {
	if d.PeekKind() != '"' {
		t, err := d.ReadToken() // says what is wrong, and where
		return t.String(), err
	}
	v, err := d.ReadValue()
	if err != nil {
		return "", err
	}
	if i := slices.IndexFunc(known, func(name string) bool { return string(v[1:len(v)-1]) == name }); i >= 0 {
		return known[i], nil
	}
	return unquote(v), nil
}

// unquote returns the text of a string that is valid.
func unquote(v jsontext.Value) string {
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1])
	}
	text, _ := jsontext.AppendUnquote(nil, v) // fails only for what is not valid
	return string(text)
}

// textOf returns the text of an attribute's value.
func textOf(name string, v jsontext.Value) (string, error) {
	if !isAttribute(name) {
		return "", malformed("%s: an attribute's name is 1 to 64 lower-case letters and digits", shown(name))
	}

	switch v.Kind() {
	case '"':
		return unquote(v), nil
	case '0':
		if name == "sequence" {
			return string(v), nil
		}
	case 't', 'f', 'n':
	default:
		return "", malformed("%s must be a string", shown(name))
	}

	if isKnown(name) && v.Kind() != 'n' {
		return "", malformed("%s must be a string", name)
	}
	return "", nil
}

// isKnown reports whether the attribute is read here, and so is text.
func isKnown(name string) bool { return slices.Contains(known, name) }

func isAttribute(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 64
}
