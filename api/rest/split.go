package rest

// split returns the elements of a JSON array, as they were sent. It looks at
// strings and brackets alone: what is wrong inside of an element is for who reads
// it, and does not touch its neighbours. Whose elements cannot be told apart, since
// a string or a bracket does not end, is refused as a whole.
func split(body []byte) (elements [][]byte, err error) {
	s := splitter{body: body}
	if !s.open() {
		return nil, errNoArray
	}

	for {
		element, last, ok := s.next()
		switch {
		case !ok, len(element) == 0 && !(last && len(elements) == 0):
			return nil, errNoArray
		case len(element) > 0:
			elements = append(elements, element)
		}
		if last {
			return elements, s.end()
		}
	}
}

var errNoArray = bad("the batch is not a JSON array")

// A splitter stands somewhere in an array.
type splitter struct {
	body []byte
	at   int
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// skip goes on to what is no white space.
func (s *splitter) skip() {
	for s.at < len(s.body) && isSpace(s.body[s.at]) {
		s.at++
	}
}

func (s *splitter) open() bool {
	s.skip()
	s.at++
	return s.at <= len(s.body) && s.body[s.at-1] == '['
}

// end refuses what stands behind the array.
func (s *splitter) end() error {
	if s.skip(); s.at < len(s.body) {
		return errNoArray
	}
	return nil
}

// next returns the next element, without white space around it; last if the array
// ends behind it. Not ok: it does not end.
func (s *splitter) next() (element []byte, last, ok bool) {
	s.skip()
	begin, end := s.at, s.at // behind the last byte that is no white space
	var closes []byte        // the brackets that are to come, the next one last
	for ; s.at < len(s.body); s.at++ {
		c := s.body[s.at]
		switch {
		case len(closes) == 0 && (c == ',' || c == ']'):
			s.at++
			return s.body[begin:end:end], c == ']', true
		case c == '"':
			if !s.text() {
				return nil, false, false
			}
		case c == '{':
			closes = append(closes, '}')
		case c == '[':
			closes = append(closes, ']')
		case c == '}' || c == ']':
			if len(closes) == 0 || closes[len(closes)-1] != c {
				return nil, false, false
			}
			closes = closes[:len(closes)-1]
		}
		if !isSpace(c) {
			end = s.at + 1
		}
	}
	return nil, false, false
}

// text goes on to the quote that ends a string. Not ok: none does.
func (s *splitter) text() (ok bool) {
	for s.at++; s.at < len(s.body); s.at++ {
		switch s.body[s.at] {
		case '\\':
			s.at++
		case '"':
			return true
		}
	}
	return false
}
