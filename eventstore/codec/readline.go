package codec

import (
	"encoding/hex"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/intern"
)

// A scan reads a line as [line.marshal] writes it: members in their order, no
// space, text that needs no escaping. It does not explain what it does not
// like: whoever finds it bad reads the line again by reflection, which does,
// and which reads what is written otherwise. A test holds the two together.
type scan struct {
	rest []byte
	bad  bool
}

// has reports whether text comes next, and goes behind it.
func (s *scan) has(text string) bool {
	if s.bad || len(s.rest) < len(text) || string(s.rest[:len(text)]) != text {
		return false
	}
	s.rest = s.rest[len(text):]
	return true
}

func (s *scan) must(text string) {
	if !s.has(text) {
		s.bad = true
	}
}

// plain reads a string, up to behind its end.
func (s *scan) plain() []byte {
	if !s.has(`"`) {
		s.bad = true
		return nil
	}

	for i, c := range s.rest {
		if c == '"' {
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text
		}
		if c < ' ' || c > '~' || c == '\\' {
			break
		}
	}

	s.bad = true
	return nil
}

func (s *scan) text() string { return intern.String(s.plain()) }

// int reads an integer.
func (s *scan) int() int64 {
	minus := s.has("-")
	n, digits := int64(0), 0
	for digits < len(s.rest) && s.rest[digits] >= '0' && s.rest[digits] <= '9' {
		n = 10*n + int64(s.rest[digits]-'0')
		digits++
		if digits > 18 {
			s.bad = true
			return 0
		}
	}

	if digits == 0 || digits > 1 && s.rest[0] == '0' || minus && n == 0 {
		s.bad = true
		return 0
	}

	s.rest = s.rest[digits:]
	if minus {
		return -n
	}
	return n
}

// hex reads a string of lower-case hexadecimal digits into all of dst.
func (s *scan) hex(dst []byte) {
	digits := s.plain()
	if len(digits) != 2*len(dst) {
		s.bad = true
		return
	}

	for _, c := range digits {
		if c >= 'A' && c <= 'F' {
			s.bad = true
			return
		}
	}

	if _, err := hex.Decode(dst, digits); err != nil {
		s.bad = true
	}
}

// object goes behind an object and returns it. What is in it is not looked at.
func (s *scan) object() []byte { return s.nested('{', '}') }

// array is object for an array.
func (s *scan) array() []byte { return s.nested('[', ']') }

func (s *scan) nested(open, end byte) []byte {
	depth, quoted := 0, false
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == open:
			depth++
		case c == end:
			depth--
			if depth == 0 {
				object := s.rest[:i+1]
				s.rest = s.rest[i+1:]
				return object
			}
		case depth == 0:
			s.bad = true
			return nil
		}
	}

	s.bad = true
	return nil
}

// scanLine reads a record's line, and reports whether it could. Its data is
// read by whoever knows the shape.
func scanLine(r eventstore.Recorded) (e Entry, data []byte, ok bool) {
	var err error
	if e.Stream, err = ident.ParseStreamID(string(r.Stream)); err != nil {
		return e, nil, false
	}

	e.ID, e.Type, e.Revision, e.Position = r.ID, r.Type, r.Revision, r.Position
	s := scan{rest: r.Data}
	s.must(`{"actor":`)
	e.Actor = s.text()
	s.must(`,"at":`)
	e.At = deadline.Instant(s.int())
	if s.has(`,"claimed":`) {
		e.Claimed = deadline.Instant(s.int())
	}

	s.must(`,"data":`)
	data = s.object()
	s.must(`,"id":"`)
	s.must(r.ID.String())
	s.must(`"`)
	if s.has(`,"not_understood":`) {
		e.NotUnderstood = string(s.plain())
	}
	if s.has(`,"on_behalf_of":`) {
		e.OnBehalfOf = s.text()
	}
	if s.has(`,"owing":`) {
		e.scanOwing(&s)
	}
	if s.has(`,"parts":[`) {
		e.scanParts(&s)
	}

	s.must(`,"recorded":`)
	e.Recorded = deadline.Instant(s.int())
	s.must(`,"recorded_by":`)
	e.RecordedBy = s.text()
	if s.has(`,"request":{`) {
		e.Request.scan(&s)
	}

	if s.has(`,"rules":`) {
		n := s.int()
		e.Rules = uint8(n)
		s.bad = s.bad || n < 0 || n > domain.Rules // of newer ones the general road says what is wrong
	}

	s.must(`,"stream":"`)
	s.must(string(r.Stream))
	s.must(`","type":"`)
	s.must(r.Type)
	s.must(`","v":1}`)
	return e, data, !s.bad && len(s.rest) == 0
}

// RecordedAt returns when a record was recorded, without reading what it says. A
// record that this program cannot read is an [*UnreadableError], as of [Decode].
func RecordedAt(r eventstore.Recorded) (deadline.Instant, error) {
	if e, _, ok := scanLine(r); ok && shapeOfName[e.Type] != nil {
		return e.Recorded, nil
	}
	e, err := Decode(r)
	return e.Recorded, err
}

func (e *Entry) scanParts(s *scan) {
	e.Parts = make([]Part, 0, 2)
	for more := true; more && !s.bad; more = s.has(`,`) {
		var p Part
		s.must(`{"commitment":`)
		s.hex(p.Commitment[:])
		s.must(`,"ref":`)
		if ref := s.plain(); string(ref) == e.Stream.ID {
			p.Ref = e.Stream.ID
		} else {
			p.Ref = string(ref)
		}
		s.must(`,"role":`)
		p.Role = s.text()
		s.must(`}`)
		e.Parts = append(e.Parts, p)
	}

	s.must(`]`)
}

func (r *Request) scan(s *scan) {
	s.must(`"digest":`)
	s.hex(r.Digest[:])
	s.must(`,"id":`)
	s.hex(r.ID[:])
	if s.has(`,"sequence":`) {
		n := s.int()
		r.Sequence = uint64(n)
		s.bad = s.bad || n < 0
	}
	s.must(`,"source":`)
	s.hex(r.Source[:])
	s.must(`}`)
}
