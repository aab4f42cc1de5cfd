package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"consentledger/domain"

	"github.com/go-json-experiment/json/jsontext"
)

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
