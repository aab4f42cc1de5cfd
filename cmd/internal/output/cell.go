package output

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"consentledger/api/report/sheet"
)

// kindsOf returns what the cells of an object are for a spreadsheet: its numbers
// are numbers, and texts are days and times where they look like ours.
func kindsOf(members map[string]any, columns []string) []sheet.Kind {
	kinds := make([]sheet.Kind, len(columns))
	for i, name := range columns {
		switch members[name].(type) {
		case json.Number:
			kinds[i] = sheet.Number
		case string:
			kinds[i] = sheet.Instant
		}
	}
	return kinds
}

// cell returns the text of a member: a list with spaces between, members that
// are texts as in name=value, what else has members as JSON.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	case []any:
		var words []string
		for _, w := range v {
			words = append(words, cell(w))
		}
		return strings.Join(words, " ")
	case map[string]any:
		if text, plain := pairs(v); plain {
			return text
		}
	}

	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// pairs writes members as name=value, if all are texts.
func pairs(members map[string]any) (string, bool) {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value, text := members[name].(string)
		if !text {
			return "", false
		}
		words = append(words, name+"="+value)
	}
	return strings.Join(words, " "), true
}

// visible keeps a cell from steering the terminal.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
