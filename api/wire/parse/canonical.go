package parse

import (
	"bytes"
	"strconv"
	"strings"

	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep data may be nested.
const maxDepth = 64

// noData is what an event has that comes without data.
const noData = `{}`

// canonicalData returns data as RFC 8785 writes it, and refuses what that could not
// write without loss. Without data it returns an empty object.
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
			return wrong(pathOf("data", d.StackPointer()),
				" is a number that cannot be kept exactly as it is written: write it as a string")
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

// bodyOf returns what an event says, canonical, whichever way it came: its data, and
// all that stands behind them. The members stand sorted. A person's key, a time and a
// kind that is known need no escaping.
func bodyOf(data []byte, r *ledger.Request, kind string) []byte {
	const rest = 128 // what the usual sequence, subject, time and type need
	b := make([]byte, 0, len(data)+len(r.Unread.Claims)+rest)
	b = append(append(b, `{"data":`...), data...)

	if len(r.Unread.Claims) > 0 {
		b = append(append(b, `,"not_understood":`...), r.Unread.Claims...)
	}
	if r.Sequence != 0 {
		b = strconv.AppendUint(append(b, `,"sequence":`...), r.Sequence, 10)
	}
	if r.Person != (ident.PersonKey{}) {
		b = append(append(append(b, `,"subject":"`...), r.Person.Kind...), ':')
		b = append(append(b, r.Person.ID...), '"')
	}
	if r.At != 0 {
		b = append(r.At.Append(append(b, `,"time":"`...)), '"')
	}
	return append(append(append(b, `,"type":"`...), kind...), `"}`...)
}
