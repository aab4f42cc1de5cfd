// Package jsonwrite writes JSON member by member. What is written for every
// event is written so: reflection costs three times as much. Members come in
// the order that RFC 8785 wants if the caller names them so.
package jsonwrite

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// A Text is JSON being written.
type Text struct {
	B   []byte
	Err error // what could not be written
}

// Name begins a member.
func (t *Text) Name(name string) {
	if t.B[len(t.B)-1] != '{' {
		t.B = append(t.B, ',')
	}
	t.B = append(append(append(t.B, '"'), name...), '"', ':')
}

// Quote writes a string.
func (t *Text) Quote(s string) {
	if b, err := jsontext.AppendQuote(t.B, s); err != nil {
		t.Err = err
	} else {
		t.B = b
	}
}

// Text writes a member that is a string.
func (t *Text) Text(name, s string) {
	t.Name(name)
	t.Quote(s)
}

// Textz is Text that leaves out what is empty.
func (t *Text) Textz(name, s string) {
	if s != "" {
		t.Text(name, s)
	}
}

// Int writes a member that is a number.
func (t *Text) Int(name string, n int64) {
	t.Name(name)
	t.B = strconv.AppendInt(t.B, n, 10)
}

// Intz is Int that leaves out zero.
func (t *Text) Intz(name string, n int64) {
	if n != 0 {
		t.Int(name, n)
	}
}

// Flagz writes a member that is true, or leaves it out.
func (t *Text) Flagz(name string, is bool) {
	if is {
		t.Name(name)
		t.B = append(t.B, "true"...)
	}
}

// Listz writes a list of strings, unless it is empty.
func Listz[S ~string](t *Text, name string, list []S) {
	if len(list) == 0 {
		return
	}
	t.Name(name)
	t.B = append(t.B, '[')
	for i, s := range list {
		if i > 0 {
			t.B = append(t.B, ',')
		}
		t.Quote(string(s))
	}
	t.B = append(t.B, ']')
}

// Object writes a member that is an object.
func (t *Text) Object(name string, members func(*Text)) {
	t.Name(name)
	t.B = append(t.B, '{')
	members(t)
	t.B = append(t.B, '}')
}

// Objects writes a list of objects.
func Objects[T any](t *Text, name string, list []T, members func(*Text, *T)) {
	t.Name(name)
	t.B = append(t.B, '[')
	for i := range list {
		if i > 0 {
			t.B = append(t.B, ',')
		}
		t.B = append(t.B, '{')
		members(t, &list[i])
		t.B = append(t.B, '}')
	}
	t.B = append(t.B, ']')
}
