// Package wiretest compares answers with what a test expects, by value: neither the order of
// members nor what stands beside them matters.
package wiretest

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Holds reports whether a body of JSON, or of one JSON value a line, holds a part:
//
//   - members, as in "code":"malformed" or {"records":2,"persons":1, : an object somewhere in
//     the body has all of them, each with that value;
//   - a whole object or list: it stands somewhere in the body, and nothing is in it besides;
//   - a name or a text in quotes: a member is called so, or a value is this text.
//
// Anything else, such as the beginning of a value, is looked for as text, and so is every part if
// the body is not JSON. So a part that looks for half a value can be found in a longer one.
func Holds(body, part string) bool {
	values, isJSON := decode(body)
	if !isJSON {
		return strings.Contains(body, part)
	}

	var whole any
	if parse(part, &whole) {
		return anywhere(values, func(v any) bool { return isOrHasMember(v, whole) })
	}
	var members map[string]any
	if parse("{"+strings.TrimSuffix(strings.TrimPrefix(part, "{"), ",")+"}", &members) && len(members) > 0 {
		return anywhere(values, func(v any) bool { return hasAll(v, members) })
	}
	return strings.Contains(body, part)
}

// isOrHasMember reports whether a value is the one that is wanted, or, if that is a text, an
// object with a member of this name.
func isOrHasMember(v, want any) bool {
	name, isText := want.(string)
	if object, is := v.(map[string]any); is && isText {
		_, has := object[name]
		return has
	}
	return reflect.DeepEqual(v, want)
}

// hasAll reports whether a value is an object with all these members.
func hasAll(v any, members map[string]any) bool {
	object, is := v.(map[string]any)
	if !is {
		return false
	}
	for name, want := range members {
		if got, has := object[name]; !has || !reflect.DeepEqual(got, want) {
			return false
		}
	}
	return true
}

// anywhere reports whether one of the values, or of what is nested in them, matches.
func anywhere(values []any, matches func(any) bool) bool {
	return slices.ContainsFunc(values, func(v any) bool {
		if matches(v) {
			return true
		}

		switch v := v.(type) {
		case map[string]any:
			return anywhere(slices.Collect(maps.Values(v)), matches)
		case []any:
			return anywhere(v, matches)
		default: // nothing is nested in a text, a number, true, false or null
			return false
		}
	})
}

// decode returns the values of a body, and whether all of it is JSON.
func decode(body string) (values []any, isJSON bool) {
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber() // numbers are compared as they are written

	for {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return values, len(values) > 0
		}
		if err != nil {
			return nil, false
		}
		values = append(values, v)
	}
}

// parse reads a text that is one JSON value and nothing else.
func parse(text string, to any) bool {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		return false
	}
	_, err := d.Token()
	return errors.Is(err, io.EOF)
}
