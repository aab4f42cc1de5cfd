package parse

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"consentledger/domain/policy"

	"github.com/go-json-experiment/json/jsontext"
)

// WithoutMark returns a text without the byte order mark that some programs write
// before JSON. It says nothing, and RFC 8259 lets readers pass over it.
func WithoutMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\ufeff")) }

// notJSON says what is wrong with a text that is no JSON, and where.
func notJSON(err error, what string) error {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return malformed("%s: the same name stands twice in one object", pathOf(what, e.JSONPointer))
		}
		if strings.Count(string(e.JSONPointer), "/") >= readDepth-1 {
			return malformed("%s is nested too deep: JSON is read to %d levels", pathOf(what, e.JSONPointer), readDepth)
		}
		return malformed("%s is not valid JSON in UTF-8 (near byte %d)", pathOf(what, e.JSONPointer), e.ByteOffset)
	}
	return malformed("%s must be a JSON object", what)
}

// readDepth is how deep JSON may be nested: so far the parser goes. Who says what
// cannot be told of a text that is deeper, so an opt-out is refused for it, too.
const readDepth = 10_000

// maxShownDepth is how many levels of a place are written: a text that is nested
// ten thousand levels deep makes no sentence of that length.
const maxShownDepth = 8

// pathOf writes a place as "data.purposes[1]". What is inside details, or
// does not look like the name of a member, may be personal and is not shown.
func pathOf(root string, p jsontext.Pointer) string {
	path, depth := root, 0
	for name := range p.Tokens() {
		if depth++; depth > maxShownDepth {
			return strings.TrimPrefix(path, ".") + "..."
		}
		if n, err := strconv.Atoi(name); err == nil && len(name) <= 4 {
			path += fmt.Sprintf("[%d]", n)
			continue
		}
		path += "." + shown(name)
		if name == "details" {
			break
		}
	}
	return strings.TrimPrefix(path, ".") // of a place that has no root
}

// shown returns a member's name if it looks like one.
func shown(name string) string {
	if name == "" || len(name) > 32 ||
		strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") != "" {
		return "(a name)"
	}
	return name
}

// IsName reports whether s is written like a purpose's id.
func IsName(s string, max int) bool {
	if len(s) > max {
		return false
	}
	_, err := policy.ParsePurposeID(s)
	return err == nil
}
