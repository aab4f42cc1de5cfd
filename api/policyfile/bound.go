package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// MaxFile bounds a file that a person wrote, in bytes, and maxDepth how many
// lists and maps may stand in each other: a policy has seven.
const (
	MaxFile  = 1 << 20
	maxDepth = 64
)

// Bound refuses a file that is too large or too deep, before anything reads it
// whose work grows with that.
func Bound(file []byte) error {
	if len(file) > MaxFile {
		return &Error{Line: 1, Column: 1, Message: fmt.Sprintf("the file is larger than %d bytes", MaxFile)}
	}

	// A quoted text may go on in the next line; what looks like the beginning of
	// one may be part of a text that is not quoted. So it is looked at both ways.
	across, within := nesting{across: true}, nesting{}
	number := 0
	for line := range bytes.Lines(file) {
		number++
		if depth := max(blocks(line), across.line(line), within.line(line)); depth > maxDepth {
			return &Error{Line: number, Column: 1,
				Message: fmt.Sprintf("lists and maps stand more than %d deep in each other", maxDepth)}
		}
	}
	return nil
}

// blocks returns how many lists and maps the beginning of a line may be within:
// each takes a column, or a dash.
func blocks(line []byte) int {
	begin := len(line) - len(bytes.TrimLeft(line, " -?\t"))
	dashes := bytes.Count(line[:begin], []byte("-")) + bytes.Count(line[:begin], []byte("?"))
	return max(dashes, (begin-dashes)/2)
}

// A nesting counts how many brackets and braces are open.
type nesting struct {
	across bool // a quoted text goes on in the next line
	quote  byte // that has not ended; zero: none
	open   int
}

// line reads one more line, and returns how deep it goes.
func (n *nesting) line(line []byte) (deepest int) {
	if !n.across {
		n.quote = 0
	}

	begins := true // a value may begin here
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case n.quote != 0:
			if c == '\\' && n.quote == '"' || c == '\'' && n.quote == c && i+1 < len(line) && line[i+1] == c {
				i++ // what follows is part of the text
			} else if c == n.quote {
				n.quote = 0
			}
			begins = false
			continue
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return max(deepest, n.open)
		case (c == '"' || c == '\'') && begins && (n.across || bytes.IndexByte(line[i+1:], c) >= 0):
			n.quote = c
		case c == '[' || c == '{':
			n.open++
		case c == ']' || c == '}':
			n.open = max(0, n.open-1)
		}
		deepest = max(deepest, n.open)
		begins = strings.IndexByte(" \t:,-?[{", c) >= 0 && (c != ' ' && c != '\t' || begins)
	}
	return deepest
}

// byteOrderMark begins the files of some editors, and is no part of the text.
var byteOrderMark = []byte("\ufeff")

// JSON returns what a YAML or JSON file says as JSON. What a policy may not have,
// such as an alias, no other file may have.
func JSON(name string, file []byte) ([]byte, error) {
	file = bytes.TrimPrefix(file, byteOrderMark)
	err := Bound(file)
	if err == nil {
		_, err = locate(file)
	}

	var body []byte
	if err == nil {
		body, err = yaml.YAMLToJSON(file)
	}
	if e, is := errors.AsType[*Error](err); is {
		if e.Message == notAMap {
			e.Message = "the file is one YAML map, beginning with its schema"
		}
		e.Name = name
		return nil, e
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return body, nil
}
