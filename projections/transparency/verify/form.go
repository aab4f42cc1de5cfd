package verify

import (
	"bytes"
	"fmt"
	"strconv"
)

// A line is what a record says of itself.
type line struct {
	id, stream, kind []byte
	at, recorded     int64
	claimed          int64 // zero: nothing was claimed beside at
	binding          bool  // it ties its stream to a person, as the first record of a person's stream does
}

// members are the names that a record has, in their order, and whether one may
// be missing.
var members = []struct {
	name string
	may  bool
}{
	{"actor", false}, {"at", false}, {"claimed", true}, {"data", false}, {"id", false}, {"not_understood", true},
	{"on_behalf_of", true}, {"owing", true}, {"parts", true},
	{"recorded", false}, {"recorded_by", false}, {"request", true}, {"rules", true}, {"stream", false},
	{"type", false}, {"v", false},
}

// parseLine reads a record: one line of RFC 8785 JSON with the members that a
// record has. What stands in data and owing is held to RFC 8785 and to nothing else.
func parseLine(record []byte) (line, error) {
	var l line
	s := scanner{b: record}
	if !s.take('{') {
		return l, s.wrong("a record is a JSON object")
	}

	for i := 0; i < len(members); i++ {
		if s.peek() == '}' && members[i].may {
			continue
		}
		begin := s.at
		if begin > 1 && !s.take(',') {
			return l, s.wrong("want a comma")
		}
		if !s.name(members[i].name) {
			if s.at = begin; members[i].may {
				continue
			}
			return l, s.wrong("want the member " + strconv.Quote(members[i].name))
		}
		if err := l.member(&s, members[i].name); err != nil {
			return l, fmt.Errorf("%s: %w", members[i].name, err)
		}
	}

	if !s.take('}') || s.at != len(s.b) {
		return l, s.wrong("want the end of the record")
	}
	return l, nil
}

func (l *line) member(s *scanner, name string) (err error) {
	switch begin := s.at; name {
	case "at":
		l.at, err = s.number()
	case "claimed":
		if l.claimed, err = s.number(); err == nil && l.claimed <= 0 {
			err = fmt.Errorf("a claim is a time, and this is %d", l.claimed)
		}
	case "recorded":
		l.recorded, err = s.number()
	case "rules":
		var rules int64
		if rules, err = s.number(); err == nil && rules <= 0 {
			err = fmt.Errorf("rules have a number above zero, and this is %d", rules)
		}
	case "v":
		var v int64
		if v, err = s.number(); err == nil && v != 1 {
			err = fmt.Errorf("version %d is not known here", v)
		}
	case "data", "owing", "request", "parts":
		err = s.value(0)
		if err == nil && name == "parts" {
			l.binding = bytes.Contains(s.b[begin:s.at], []byte(`"role":"binding"`))
		}
	default:
		var text []byte
		text, err = s.text()
		switch name {
		case "id":
			l.id = text
		case "stream":
			l.stream = text
		case "type":
			l.kind = text
		}
	}
	return err
}
