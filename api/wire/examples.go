package wire

import "github.com/go-json-experiment/json/jsontext"

// An Example is a whole CloudEvent of one type, as one may send it.
type Example struct {
	Type  string
	Event jsontext.Value
}

// Examples returns one event of every type.
func Examples() []Example {
	data := map[string]string{
		"consent.given":       `{"policy": "privacy", "version": "sha256:` + emptyHash + `", "locale": "zh-CN", "act": "click-agree", "kind": "explicit", "purposes": ["account"], "until": "2027-03-02T00:00:00.000Z", "details": {"screen": "sign-up"}}`,
		"consent.refused":     `{"purposes": ["marketing"], "policy": "privacy", "locale": "zh-CN", "act": "click-refuse"}`,
		"consent.withdrawn":   `{"all": true, "details": {"screen": "settings"}}`,
		"policy.acknowledged": `{"policy": "privacy", "locale": "zh-CN", "act": "read-to-end"}`,
		"notice.presented":    `{"policy": "privacy", "locale": "zh-CN", "text": "sha256:` + emptyHash + `", "kind": "enhanced"}`,
		"permission.granted":  `{"permission": "location"}`,
		"permission.denied":   `{"permission": "location"}`,
		"permission.revoked":  `{"permission": "location", "details": {"os": "settings"}}`,
		"record.voided":       `{"records": ["01234567-89ab-cdef-0123-456789abcdef"], "reason": "recorded-by-mistake", "by": ["operator:ann", "operator:bo"]}`,
	}
	var list []Example
	for _, kind := range Types() {
		actor := ""
		if kind == "record.voided" {
			actor = `, "actor": "operator"`
		}
		v := jsontext.Value(`{"specversion": "1.0", "id": "2026-0001", "source": "/smartkey/app", "type": "` + kind + `", "time": "2026-03-02T09:30:00.000Z", "subject": "account:user-1", "sequence": "1"` + actor + `, "datacontenttype": "application/json", "data": ` + data[kind] + `}`)
		if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
			panic("wire: the example of " + kind + " is no JSON: " + err.Error())
		}
		list = append(list, Example{kind, v})
	}
	return list
}

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
