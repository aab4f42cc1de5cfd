package parse

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// inside returns the JSON object that a JSON string holds, as text or as Base64:
// a program gave its SDK the object's text, or its bytes.
func inside(data jsontext.Value) (object jsontext.Value, isBase64, ok bool) {
	text := []byte(textIn(data))
	if isObject(text) {
		return text, false, true
	}
	object, err := decodeBase64(string(text))
	return object, true, err == nil && isObject(object)
}

// base64Forms rewrites the forms of Base64 that programs make to the one of RFC
// 4648 section 4, without padding: that for URLs, and lines that are broken.
var base64Forms = strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "", " ", "", "=", "")

// decodeBase64 reads Base64 in any form, padded or not. Read to the letter it has
// the one form; an opt-out is not refused for another.
func decodeBase64(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(base64Forms.Replace(text))
}

// isObject reports whether text is a JSON object, as far as its first level tells.
func isObject(text []byte) bool {
	return len(bytes.TrimSpace(text)) > 0 && jsontext.Value(text).Kind() == '{' &&
		jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// notObject refuses data that are no JSON object, and says what they are if a
// program often makes them so.
func notObject(data jsontext.Value) error {
	const must = " must be a JSON object"
	switch _, isBase64, ok := inside(data); {
	case ok && isBase64:
		return wrong("data", must+", and is one as Base64 inside a JSON string: send the object itself; an SDK gets "+
			"the object, not its bytes in a memory")
	case ok:
		return wrong("data", must+", and is one written inside a JSON string: send the object itself; an SDK gets "+
			"the object, not its text")
	}
	return wrong("data", must)
}
