package parse

import (
	"strconv"
	"strings"
	"time"

	"consentledger/domain/deadline"

	"github.com/go-json-experiment/json/jsontext"
)

// An Example is a whole CloudEvent of one type, as one may send it.
type Example struct {
	Type     string
	Operator bool // it goes to the endpoint of operators only
	Event    jsontext.Value
}

// Examples returns one event of every type, as one may send it at the moment
// at: a grant would be too old later. Ids and numbers are of that moment too, so
// that the examples of two moments are two events. Acts, purposes, grounds, the
// permission and the text are those of the sample app SmartKey.
func Examples(at deadline.Instant) []Example {
	filler := fill(at)
	list := make([]Example, 0, len(kindsInOrder()))
	for _, k := range kindsInOrder() {
		whom := `, "subject": "account:user-1"`
		if k.about == theApp {
			whom = ""
		}
		if k.operator() {
			whom += `, "actor": "operator"`
		}
		v := jsontext.Value(`{"specversion": "1.0", "id": "` + k.name + "/" + at.String() +
			`", "source": "/smartkey/app", "type": "` + k.name +
			`", "time": "` + at.String() + `"` + whom + `, "sequence": "` + strconv.FormatInt(int64(at), 10) +
			`", "datacontenttype": "application/json", "data": ` + string(filler.example(k)) + `}`)
		if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
			panic("parse: the example of " + k.name + " is no JSON: " + err.Error())
		}
		list = append(list, Example{k.name, k.operator(), v})
	}
	return list
}

// A filling puts a moment into examples.
type filling struct{ *strings.Replacer }

func fill(at deadline.Instant) filling {
	return filling{strings.NewReplacer(
		"{now}", at.String(), "{in a year}", at.Add(365*deadline.Day).String(), "{yesterday}",
		at.Add(-deadline.Day).String(),
		"{today}", at.Time().UTC().Format(time.DateOnly))}
}

// example returns the data of a type's example.
func (f filling) example(k kind) jsontext.Value {
	return jsontext.Value("{" + f.Replace(k.example) + "}")
}
