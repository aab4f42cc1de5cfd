package verify

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner reads RFC 8785 JSON and nothing else: no space, members in their
// order, strings escaped no more than they must be. Of numbers it reads those
// that records have, integers below 2^53.
type scanner struct {
	b  []byte
	at int
}

const maxDepth = 64

func (s *scanner) wrong(what string) error { return fmt.Errorf("byte %d: %s", s.at, what) }

// peek returns the next byte, zero at the end: no JSON has a zero byte.
func (s *scanner) peek() byte {
	if s.at < len(s.b) {
		return s.b[s.at]
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// name takes a member's name that is known, and its colon.
func (s *scanner) name(want string) bool {
	rest := s.b[s.at:]
	if len(rest) < len(want)+3 || rest[0] != '"' || string(rest[1:1+len(want)]) != want || rest[1+len(want)] != '"' ||
		rest[2+len(want)] != ':' {
		return false
	}
	s.at += len(want) + 3
	return true
}

func (s *scanner) value(depth int) error {
	switch c := s.peek(); {
	case depth > maxDepth:
		return s.wrong("it is nested too deep")
	case c == '{':
		return s.object(depth)
	case c == '[':
		return s.array(depth)
	case c == '"':
		_, err := s.text()
		return err
	case c == '-' || c >= '0' && c <= '9':
		_, err := s.number()
		return err
	}

	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.b[s.at:], []byte(word)) {
			s.at += len(word)
			return nil
		}
	}
	return s.wrong("want a JSON value")
}

func (s *scanner) object(depth int) error {
	s.at++
	if s.take('}') {
		return nil
	}

	var before []byte
	for first := true; ; first = false {
		begin := s.at
		name, err := s.text()
		if err != nil {
			return err
		}
		if !first && !less(before, name) {
			s.at = begin
			return s.wrong("a member does not come after the one before, as RFC 8785 wants")
		}
		before = name
		if !s.take(':') {
			return s.wrong("want a colon")
		}
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.wrong("want a comma or the end of the object")
		}
	}
}

func (s *scanner) array(depth int) error {
	s.at++
	if s.take(']') {
		return nil
	}

	for {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return s.wrong("want a comma or the end of the array")
		}
	}
}

// less compares names by their UTF-16, which is what RFC 8785 sorts by.
func less(a, b []byte) bool {
	for i := range min(len(a), len(b)) {
		if a[i] >= utf8.RuneSelf || b[i] >= utf8.RuneSelf {
			return slices.Compare(utf16.Encode([]rune(string(a[i:]))), utf16.Encode([]rune(string(b[i:])))) < 0
		}
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return len(a) < len(b)
}

func (s *scanner) number() (int64, error) {
	begin := s.at
	negative := s.take('-')
	digits := s.at
	var n int64
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		if n = n*10 + int64(c-'0'); n >= 1<<53 {
			return 0, s.wrong("a number is below 2^53")
		}
		s.at++
	}

	switch c := s.peek(); {
	case s.at == digits, s.b[digits] == '0' && (s.at > digits+1 || negative), c == '.', c == 'e', c == 'E':
		s.at = begin
		return 0, s.wrong("want an integer")
	case negative:
		n = -n
	}
	return n, nil
}

// text takes a string and returns what it says. It is a part of the record
// unless it has an escape.
func (s *scanner) text() ([]byte, error) {
	if !s.take('"') {
		return nil, s.wrong("want a string")
	}

	begin := s.at
	for s.at < len(s.b) {
		switch c := s.b[s.at]; {
		case c == '"':
			s.at++
			return s.b[begin : s.at-1], nil
		case c == '\\':
			return s.escaped(begin)
		case c < ' ':
			return nil, s.wrong("a control character is escaped")
		case c < utf8.RuneSelf:
			s.at++
		default:
			r, n := utf8.DecodeRune(s.b[s.at:])
			if r == utf8.RuneError && n == 1 {
				return nil, s.wrong("it is not UTF-8")
			}
			s.at += n
		}
	}
	return nil, s.wrong("the string does not end")
}

// escaped takes the rest of a string that has an escape.
func (s *scanner) escaped(begin int) ([]byte, error) {
	text := append([]byte{}, s.b[begin:s.at]...)
	for s.at < len(s.b) {
		c := s.b[s.at]
		switch {
		case c == '"':
			s.at++
			return text, nil
		case c < ' ':
			return nil, s.wrong("a control character is escaped")
		case c == '\\':
			r, n := escape(s.b[s.at:])
			if n == 0 {
				return nil, s.wrong("RFC 8785 has no such escape")
			}
			text = append(text, r)
			s.at += n
		default:
			r, n := utf8.DecodeRune(s.b[s.at:])
			if r == utf8.RuneError && n == 1 {
				return nil, s.wrong("it is not UTF-8")
			}
			text = append(text, s.b[s.at:s.at+n]...)
			s.at += n
		}
	}
	return nil, s.wrong("the string does not end")
}

// escape reads one of the escapes that RFC 8785 writes, and how long it is.
func escape(b []byte) (byte, int) {
	if len(b) < 2 {
		return 0, 0
	}
	if i := bytes.IndexByte([]byte(`"\bfnrt`), b[1]); i >= 0 {
		return "\"\\\b\f\n\r\t"[i], 2
	}
	if len(b) < 6 || string(b[1:4]) != "u00" || b[4] != '0' && b[4] != '1' {
		return 0, 0
	}

	low := bytes.IndexByte([]byte("0123456789abcdef"), b[5])
	c := (b[4]-'0')<<4 | byte(max(low, 0))
	if low < 0 || bytes.IndexByte([]byte("\b\f\n\r\t"), c) >= 0 {
		return 0, 0 // it has a shorter one
	}
	return c, 6
}
