package parse

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// MayBeOptOut reports whether a message that could not be taken may be an opt-out: a
// refusal, a withdrawal, a permission that was revoked, or anything else after
// which less may be done. TypeHint is its
// type if the headers say it; else the message itself is asked. What cannot be
// told may be one.
func MayBeOptOut(structuredOrData []byte, typeHint string) bool {
	if typeHint != "" {
		return lessens(typeHint)
	}

	d := jsontext.NewDecoder(bytes.NewBuffer(structuredOrData), jsontext.AllowDuplicateNames(true),
		jsontext.AllowInvalidUTF8(true))
	if d.PeekKind() != '{' {
		return true
	}
	if _, err := d.ReadToken(); err != nil {
		return true
	}

	found := false
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			break
		}
		isType := name.String() == "type"
		v, err := d.ReadValue()
		if err != nil {
			break
		}
		if isType {
			text, err := jsontext.AppendUnquote(nil, v)
			if err != nil || lessens(string(text)) {
				return true
			}
			found = true
		}
	}
	return !found
}

func lessens(name string) bool {
	k, known := kinds[name]
	return k.lessens || !known
}
