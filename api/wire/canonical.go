package wire

import (
	"bytes"
	"strconv"
	"strings"

	"consentledger/domain"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep data may be nested.
const maxDepth = 64

// noData is what an event has that comes without data.
const noData = `{}`

// canonicalData is the general road: it returns data as RFC 8785 writes it, and
// refuses what that could not write without loss.
func canonicalData(data jsontext.Value) (jsontext.Value, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return jsontext.Value(noData), nil
	}
	if err := checkData(data); err != nil {
		return nil, err
	}
	v := data.Clone()
	if err := v.Canonicalize(); err != nil { // looks at what is behind it, too
		return nil, notJSON(err, "data")
	}
	return v, nil
}

// checkData refuses what is no object, is nested too deep, or holds a number
// that not every reader knows.
func checkData(data jsontext.Value) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(data))
	if d.PeekKind() != '{' {
		return notObject(data)
	}
	for {
		t, err := d.ReadToken()
		if err != nil {
			return notJSON(err, "data")
		}
		if t.Kind() == '0' && !isExact(t.String()) {
			return wrong("data", "%s is a number that cannot be kept exactly as it is written: write it as a string", pathOf("", d.StackPointer()))
		}
		if d.StackDepth() > maxDepth {
			return wrong("data", " is nested deeper than %d levels", maxDepth)
		}
		if d.StackDepth() == 0 {
			return nil
		}
	}
}

// TypeOf returns the type of a request that was parsed here.
func TypeOf(r ledger.Request) string {
	const before = `,"type":"`
	at := bytes.LastIndex(r.Body, []byte(before))
	if at < 0 {
		return ""
	}
	return strings.TrimSuffix(string(r.Body[at+len(before):]), `"}`)
}

// beforeData begins a body, which is what an event says, canonical, whichever
// way it came. Its members stand sorted: data come first.
const beforeData = `{"data":`

// newBody returns room for a body whose data, and what is read behind them, have
// n bytes.
func newBody(n int) []byte {
	const rest = 128 // what the usual sequence, subject, time and type need
	return append(make([]byte, 0, n+rest), beforeData...)
}

// begin returns a body up to its data, canonical.
func begin(data jsontext.Value) ([]byte, error) {
	s := scanner{json: data}
	if b, ok := s.object(newBody(len(data)), plainDepth); ok && s.peek() == 0 && s.at == len(data) {
		return b, nil
	}
	canonical, err := canonicalData(data)
	if err != nil {
		return nil, err
	}
	return append(newBody(len(canonical)), canonical...), nil
}

// end returns a body that was begun, with all that stands behind its data. A
// person's key, a time and a kind that is known need no escaping.
func end(b []byte, r *ledger.Request, kind string) []byte {
	if len(r.Unread.Claims) > 0 {
		b = append(append(b, `,"not_understood":`...), r.Unread.Claims...)
	}
	if r.Sequence != 0 {
		b = strconv.AppendUint(append(b, `,"sequence":`...), r.Sequence, 10)
	}
	if r.Person != (domain.PersonKey{}) {
		b = append(append(append(b, `,"subject":"`...), r.Person.Kind...), ':')
		b = append(append(b, r.Person.ID...), '"')
	}
	if r.At != 0 {
		b = append(r.At.Append(append(b, `,"time":"`...)), '"')
	}
	return append(append(append(b, `,"type":"`...), kind...), `"}`...)
}
