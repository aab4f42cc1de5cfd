package wire

import (
	"strconv"

	"consentledger/domain"

	"github.com/go-json-experiment/json/jsontext"
)

// An Example is a whole CloudEvent of one type, as one may send it.
type Example struct {
	Type  string
	Event jsontext.Value
}

// exampleData is what each type says. Acts, purposes, the permission and the
// text are those of the sample app SmartKey.
var exampleData = map[string]string{
	"consent.given":       `"policy": "privacy", "locale": "en", "act": "confirm-next", "kind": "explicit", "purposes": ["personalisation"], "details": {"screen": "sign-up"}`,
	"consent.refused":     `"purposes": ["promotion-evaluation"], "policy": "privacy", "locale": "en", "act": "agree-popup"`,
	"consent.withdrawn":   `"purposes": ["personalisation"], "details": {"screen": "settings"}`,
	"policy.acknowledged": `"policy": "privacy", "locale": "en", "act": "agree-popup"`,
	"notice.presented":    `"policy": "privacy", "locale": "en", "text": "sha256:bbc4f8627c18bf9349657dd70fc230dd40c51c441d0e1c514ce586cae39adeea", "kind": "enhanced"`,
	"permission.granted":  `"permission": "network"`,
	"permission.denied":   `"permission": "network"`,
	"permission.revoked":  `"permission": "network", "details": {"where": "system settings"}`,
	"record.voided":       `"records": ["01234567-89ab-cdef-0123-456789abcdef"], "reason": "recorded-by-mistake", "by": ["operator:ann", "operator:bo"]`,
}

// Examples returns one event of every type, as one may send it at the moment
// at: a yes would be too old later. Ids and numbers are of that moment too, so
// that the examples of two moments are two events.
func Examples(at domain.Instant) []Example {
	var list []Example
	for _, kind := range Types() {
		data := exampleData[kind]
		if kind == "consent.given" {
			data += `, "until": "` + at.Add(365*domain.Day).String() + `"`
		}
		actor := ""
		if kind == "record.voided" {
			actor = `, "actor": "operator"`
		}
		v := jsontext.Value(`{"specversion": "1.0", "id": "` + kind + "/" + at.String() + `", "source": "/smartkey/app", "type": "` + kind +
			`", "time": "` + at.String() + `", "subject": "account:user-1", "sequence": "` + strconv.FormatInt(int64(at), 10) + `"` + actor +
			`, "datacontenttype": "application/json", "data": {` + data + `}}`)
		if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
			panic("wire: the example of " + kind + " is no JSON: " + err.Error())
		}
		list = append(list, Example{kind, v})
	}
	return list
}
