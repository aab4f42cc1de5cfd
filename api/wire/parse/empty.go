package parse

import (
	"bytes"
	"maps"
	"slices"

	"consentledger/domain/refusal"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// NoEmpty refuses a question of known members one of which is an empty text or
// list. What is left out lets everybody through; what is empty was meant to name
// somebody. A null is left out: so writes who has a value or none.
func NoEmpty(question []byte) error {
	if !bytes.Contains(question, []byte(`""`)) && !bytes.Contains(question, []byte(`[`)) {
		return nil // as nearly all
	}

	var members map[string]jsontext.Value
	if err := json.Unmarshal(question, &members); err != nil {
		return nil // who reads it says what is wrong
	}

	for _, name := range slices.Sorted(maps.Keys(members)) {
		v := members[name]
		none := v.Kind() == '[' && len(bytes.TrimSpace(v[1:len(v)-1])) == 0
		if none || string(v) == `""` {
			return refusal.Refusal{Code: refusal.Malformed, Path: name,
				Text: name + ": is empty: give it a value, or leave it out"}
		}
	}
	return nil
}
