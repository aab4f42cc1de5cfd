package policyfile

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// A place is where a name stands, and where its value begins.
type place struct{ key, value *token.Position }

// positions holds the place of everything in a file, by JSON pointer.
type positions map[string]place

const notAMap = "a policy file is one YAML map, beginning with \"schema: policy/1\""

// locate finds the places of a file, which must be one YAML map.
func locate(file []byte) (positions, error) {
	f, err := parser.ParseBytes(file, 0)
	if err != nil {
		return nil, err
	}
	if len(f.Docs) != 1 || f.Docs[0].Body == nil {
		return nil, &Error{Line: 1, Column: 1, Message: notAMap}
	}

	body := f.Docs[0].Body
	switch body.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		pos := body.GetToken().Position
		return nil, &Error{Line: pos.Line, Column: pos.Column, Message: notAMap}
	}

	at := positions{}
	return at, at.walk("", nil, body)
}

// walk enters node and all below it. Key is nil in a list.
func (at positions) walk(pointer string, key *token.Position, node ast.Node) error {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			if err := at.walkPair(pointer, v); err != nil {
				return err
			}
		}
	case *ast.MappingValueNode:
		if err := at.walkPair(pointer, n); err != nil {
			return err
		}
	case *ast.SequenceNode:
		for i, v := range n.Values {
			if err := at.walk(pointer+"/"+strconv.Itoa(i), nil, v); err != nil {
				return err
			}
		}
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
		pos := n.GetToken().Position
		return &Error{Line: pos.Line, Column: pos.Column,
			Message: "anchors, aliases and tags are not read here: write it out"}
	case *ast.IntegerNode:
		if pos := n.GetToken().Position; !isPlainInteger(n.GetToken().Value) {
			return &Error{Line: pos.Line, Column: pos.Column,
				Message: "is a number that not every program reads as the same: write it in decimal digits, without " +
					"a zero in front, or as a text in quotes"}
		}
	}

	value := start(node)
	if key == nil {
		key = value
	}

	at[pointer] = place{key, value}
	return nil
}

// isPlainInteger reports whether every reader of YAML and of JSON reads an integer
// as the same number: 010 is eight in YAML 1.1 and ten in YAML 1.2, and above 2^53
// a float64 is another one.
func isPlainInteger(text string) bool {
	const largest = 1<<53 - 1
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && n <= largest && n >= -largest && strconv.FormatInt(n, 10) == text
}

func (at positions) walkPair(pointer string, v *ast.MappingValueNode) error {
	token := v.Key.GetToken()
	if _, merge := v.Key.(*ast.MergeKeyNode); merge {
		return &Error{Line: token.Position.Line, Column: token.Position.Column,
			Message: "anchors, aliases and tags are not read here: write it out"}
	}
	return at.walk(pointer+"/"+token.Value, token.Position, v.Value)
}

// start returns where a node's text begins.
func start(node ast.Node) *token.Position {
	switch n := node.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 && !n.IsFlowStyle {
			return n.Values[0].Key.GetToken().Position
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken().Position
	}
	return node.GetToken().Position
}

// find returns the line and column of the value that pointer names, or of the
// nearest thing around it that is there.
func (at positions) find(pointer string) (line, column int) {
	for {
		if p, ok := at[pointer]; ok && p.value != nil {
			return p.value.Line, p.value.Column
		}
		i := strings.LastIndexByte(pointer, '/')
		if i < 0 {
			return 1, 1
		}
		pointer = pointer[:i]
	}
}

// findKey is find for the name of the value.
func (at positions) findKey(pointer string) (line, column int) {
	if p, ok := at[pointer]; ok && p.key != nil {
		return p.key.Line, p.key.Column
	}
	return at.find(pointer)
}

// pointerOf turns "purposes[2].categories[0]" into "/purposes/2/categories/0".
func pointerOf(path string) string {
	return "/" + strings.NewReplacer("[", "/", "]", "", ".", "/").Replace(path)
}

// wanted says in a reader's words what a Go type is written as.
func wanted(t reflect.Type) string {
	switch {
	case t == nil:
		return "another kind of value"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.Struct:
		return "a map"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a whole number"
	}
	return "text, in quotes if it looks like a number"
}
