package wire

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// plainDepth is how deep plain JSON is nested at most.
const plainDepth = 8

// A scanner reads plain JSON, in one pass: objects with ASCII names, lists,
// texts without escapes, short integers, true, false and null. That is what
// nearly every sender writes. It says only whether a text is plain: whatever
// is not, because it is rare or because it is wrong, goes the general road,
// which says what is wrong with it.
type scanner struct {
	json []byte
	at   int
	bits byte // of the bytes of the last text, those that any of them has
}

// peek skips white space and returns the byte behind it; 0: there is none.
func (s *scanner) peek() byte {
	for ; s.at < len(s.json); s.at++ {
		if c := s.json[s.at]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

// take reports whether the next byte behind white space is c, and goes on.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// text returns what stands between quotes.
func (s *scanner) text() (text []byte, ok bool) {
	if !s.take('"') {
		return nil, false
	}
	s.bits = 0
	for i, c := range s.json[s.at:] {
		switch {
		case c == '"':
			text = s.json[s.at : s.at+i]
			s.at += i + 1
			return text, s.bits < utf8.RuneSelf || utf8.Valid(text)
		case c == '\\' || c < ' ':
			return nil, false
		}
		s.bits |= c
	}
	return nil, false
}

// name returns a member's name, and goes behind the colon. The order of ASCII
// names is that of their bytes.
func (s *scanner) name() (name []byte, ok bool) {
	name, ok = s.text()
	return name, ok && s.bits < utf8.RuneSelf && s.take(':')
}

// more reports whether another one follows in an object or a list of n, and
// goes to it; or, when there is none, behind the end. Not ok: neither is so.
func (s *scanner) more(n int, end byte) (more, ok bool) {
	switch {
	case s.take(end):
		return false, true
	case n == 0:
		return true, true
	}
	more = s.take(',')
	return more, more
}

// value appends a value as RFC 8785 writes it.
func (s *scanner) value(b []byte, depth int) (_ []byte, ok bool) {
	c := s.peek()
	start := s.at
	switch {
	case c == '{':
		return s.object(b, depth)
	case c == '[':
		return s.list(b, depth)
	case c == '"':
		_, ok = s.text()
	case c >= '0' && c <= '9':
		ok = s.integer()
	default:
		ok = s.word("true") || s.word("false") || s.word("null")
	}
	if !ok {
		return b, false
	}
	return append(b, s.json[start:s.at]...), true
}

func (s *scanner) word(w string) bool {
	if rest := s.json[s.at:]; len(rest) < len(w) || string(rest[:len(w)]) != w {
		return false
	}
	s.at += len(w)
	return true // what follows is looked at by whoever goes on
}

// integer goes behind an integer that every reader knows exactly, and of which
// there is one form. One of more digits, or a number that goes on, is not plain.
func (s *scanner) integer() bool {
	start := s.at
	for s.at < len(s.json) && s.json[s.at] >= '0' && s.json[s.at] <= '9' {
		s.at++
	}
	n := s.at - start
	return n <= 15 && (n == 1 || s.json[start] != '0')
}

func (s *scanner) list(b []byte, depth int) (_ []byte, ok bool) {
	if !s.take('[') || depth == 0 {
		return b, false
	}
	b = append(b, '[')
	for n := 0; ; n++ {
		more, ok := s.more(n, ']')
		if !ok {
			return b, false
		}
		if !more {
			return append(b, ']'), true
		}
		if n > 0 {
			b = append(b, ',')
		}
		if b, ok = s.value(b, depth-1); !ok {
			return b, false
		}
	}
}

// A written is where a member stands in what was appended: a quote, its name,
// which ends before nameEnd, a quote, and its value, which ends before end.
type written struct{ start, nameEnd, end int }

func (w written) name(b []byte) []byte { return b[w.start+1 : w.nameEnd] }

// object appends an object, its members sorted. A name that stands twice is
// not plain.
func (s *scanner) object(b []byte, depth int) (_ []byte, ok bool) {
	if !s.take('{') || depth == 0 {
		return b, false
	}
	var room [16]written
	members := room[:0]
	b = append(b, '{')
	for {
		more, ok := s.more(len(members), '}')
		if !ok {
			return b, false
		}
		if !more {
			b, ok = sorted(b, members)
			return append(b, '}'), ok
		}
		name, ok := s.name()
		if !ok {
			return b, false
		}
		if len(members) > 0 {
			b = append(b, ',')
		}
		m := written{start: len(b)}
		b = append(append(b, '"'), name...)
		m.nameEnd = len(b)
		if b, ok = s.value(append(b, `":`...), depth-1); !ok {
			return b, false
		}
		m.end = len(b)
		members = append(members, m)
	}
}

// sorted puts the members at the end of b, which have commas between them, into
// the order of their names. Not ok: two have one name.
func sorted(b []byte, members []written) (_ []byte, ok bool) {
	if isSorted(b, members) {
		return b, true
	}
	begin, end, all := members[0].start, len(b), b
	slices.SortFunc(members, func(x, y written) int { return bytes.Compare(x.name(all), y.name(all)) })
	if !isSorted(b, members) {
		return b, false
	}
	for i, m := range members { // behind the others, and then to their place
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, b[m.start:m.end]...)
	}
	copy(b[begin:end], b[end:])
	return b[:end], true
}

// isSorted reports whether every name is greater than that before it.
func isSorted(b []byte, members []written) bool {
	for i := 1; i < len(members); i++ {
		if bytes.Compare(members[i-1].name(b), members[i].name(b)) >= 0 {
			return false
		}
	}
	return true
}
