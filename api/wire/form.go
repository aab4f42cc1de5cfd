package wire

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"sync"

	"consentledger/domain"
	"consentledger/eventstore/intern"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A form reads data as the shape S, which is a struct. What is plain and fits
// it reads itself; everything else goes to package json, which says what does
// not fit.
type form[S any] struct {
	members []member // one for each field
	read    func(*reader, S) domain.Command
	spare   sync.Pool
}

type member struct {
	name  string
	often bool // the same few texts stand in it again and again
}

// oftenSame are the members and attributes with few different texts. None is
// personal.
var oftenSame = []string{
	"act", "build", "control", "initial", "kind", "locale", "permission", "policy", "purposes", "version",
	"actor", "datacontenttype", "dataschema", "specversion", "type",
}

func formOf[S any](read func(*reader, S) domain.Command) *form[S] {
	f := &form[S]{read: read, spare: sync.Pool{New: func() any { return new(S) }}}
	for field := range reflect.TypeFor[S]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		f.members = append(f.members, member{name, slices.Contains(oftenSame, name)})
	}
	return f
}

// command makes a command of data, which are valid JSON.
func (f *form[S]) command(r *reader, data []byte) domain.Command {
	shape := f.spare.Get().(*S)
	defer func() {
		*shape = *new(S) // what was read is not held on to
		f.spare.Put(shape)
	}()
	if !f.plain(shape, data) {
		*shape = *new(S)
		if err := json.Unmarshal(data, shape, json.RejectUnknownMembers(true)); err != nil {
			r.err = cmp.Or(misspelled(err, f.names()), wrongShape(err, "data"))
			return nil
		}
	}
	return f.read(r, *shape)
}

// names returns the names of the members.
func (f *form[S]) names() (names []string) {
	for _, m := range f.members {
		names = append(names, m.name)
	}
	return names
}

// plain reports whether data are plain and fit, and reads them.
func (f *form[S]) plain(shape *S, data []byte) bool {
	s, fields := scanner{json: data}, reflect.ValueOf(shape).Elem()
	if !s.take('{') {
		return false
	}
	for n, read := 0, uint64(0); ; n++ {
		more, ok := s.more(n, '}')
		if !ok || !more {
			return ok && s.peek() == 0 && s.at == len(data)
		}
		name, ok := s.name()
		i := slices.IndexFunc(f.members, func(m member) bool { return m.name == string(name) })
		if !ok || i < 0 || read&(1<<i) != 0 || !s.into(fields.Field(i), f.members[i].often) {
			return false
		}
		read |= 1 << i
	}
}

// into reads a value into a field, if it is of the field's kind.
func (s *scanner) into(field reflect.Value, often bool) (ok bool) {
	switch p := field.Addr().Interface().(type) {
	case *string:
		*p, ok = s.string(often)
	case *[]string:
		*p, ok = s.strings(often)
	case *bool:
		s.peek()
		*p = s.word("true")
		ok = *p || s.word("false")
	case *jsontext.Value:
		*p, ok = s.skipObject()
	}
	return ok
}

func (s *scanner) string(often bool) (string, bool) {
	text, ok := s.text()
	if often {
		return intern.String(text), ok
	}
	return string(text), ok
}

func (s *scanner) strings(often bool) (list []string, ok bool) {
	if !s.take('[') {
		return nil, false
	}
	list = []string{}
	for {
		more, ok := s.more(len(list), ']')
		if !ok || !more {
			return list, ok
		}
		text, ok := s.string(often)
		if !ok {
			return nil, false
		}
		list = append(list, text)
	}
}

// skipObject returns an object, with all that is in it: it is known to be valid.
func (s *scanner) skipObject() (jsontext.Value, bool) {
	if s.peek() != '{' {
		return nil, false
	}
	start, depth, quoted := s.at, 0, false
	for ; s.at < len(s.json); s.at++ {
		switch c := s.json[s.at]; {
		case quoted && c == '\\':
			s.at++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				s.at++
				return s.json[start:s.at], true
			}
		}
	}
	return nil, false
}
