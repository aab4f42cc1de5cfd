// Package shape reads what the tags of a document's Go types say: json names a
// member, must:"yes" says that a document without it is refused, and doc describes
// it. Schemas, references and error messages are made of that, so that they name
// the members that are read.
package shape

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A Member is a member of a document, or of a part of one.
type Member struct {
	Name string
	Type reflect.Type
	Must bool
	Doc  string
}

// Members returns the members of a struct, in the order in which they stand;
// none for any other type.
func Members(t reflect.Type) (members []Member) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		members = append(members, Member{name, f.Type, f.Tag.Get("must") == "yes", f.Tag.Get("doc")})
	}
	return members
}

// Fields returns the names that a document of the type may have at a JSON pointer;
// none where it has no names.
func Fields(t reflect.Type, pointer string) (names []string) {
	for _, name := range strings.Split(pointer, "/")[1:] {
		t = element(t)
		if _, err := strconv.Atoi(name); err == nil {
			continue
		}
		members := Members(t)
		i := slices.IndexFunc(members, func(m Member) bool { return m.Name == name })
		if i < 0 {
			return nil
		}
		t = members[i].Type
	}

	for _, m := range Members(element(t)) {
		names = append(names, m.Name)
	}
	return names
}

func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

// Choices returns the texts that the values of an enumeration are written as: all
// that parse reads of what String writes. Enumerations number their values from 0
// or from 1, without a gap.
func Choices[T interface {
	~uint8
	fmt.Stringer
}](parse func(string) (T, error)) (texts []string) {
	for i := range T(255) {
		text := i.String()
		if _, err := parse(text); err == nil {
			texts = append(texts, text)
		} else if i > 0 {
			break
		}
	}
	return texts
}
