package answers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// bindings are what the placeholders of a scenario stand for at this server.
type bindings struct {
	port      string
	positions map[string]uint64
	ids       map[string]string
}

func newBindings(port string) *bindings {
	return &bindings{port: port, positions: map[string]uint64{}, ids: map[string]string{}}
}

// filled returns a request with its placeholders replaced.
func (b *bindings) filled(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		object := map[string]any{}
		for key, inner := range v {
			f, err := b.filled(inner)
			if err != nil {
				return nil, err
			}
			object[key] = f
		}
		return object, nil
	case []any:
		items := make([]any, len(v))
		for i, inner := range v {
			f, err := b.filled(inner)
			if err != nil {
				return nil, err
			}
			items[i] = f
		}
		return items, nil
	case string:
		if strings.HasPrefix(v, "pos:") {
			position, err := b.position(v)
			return strconv.FormatUint(position, 10), err
		}
		if id, ok := b.ids[v]; ok {
			return id, nil
		}
	}
	return v, nil
}

// position returns the number of a placeholder, as in pos:5 and pos:5-1.
func (b *bindings) position(text string) (uint64, error) {
	name, delta := text, int64(0)
	if at := strings.IndexAny(text, "+-"); at > 0 {
		n, err := strconv.ParseInt(text[at:], 10, 64)
		if err != nil {
			return 0, err
		}
		name, delta = text[:at], n
	}
	bound, ok := b.positions[name]
	if !ok {
		return 0, fmt.Errorf("%s has not been seen yet", name)
	}
	return uint64(int64(bound) + delta), nil
}

// same compares an answer with the recorded one. It returns where they differ,
// "" if nowhere.
func (b *bindings) same(want, got any, at string) string {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s: %v instead of an object", at, got)
		}
		for _, key := range keys(want) {
			if _, ok := object[key]; !ok {
				return fmt.Sprintf("%s.%s: left out", at, key)
			}
			if diff := b.same(want[key], object[key], at+"."+key); diff != "" {
				return diff
			}
		}
		for _, key := range keys(object) {
			if _, ok := want[key]; !ok {
				return fmt.Sprintf("%s.%s: %v, where the real one says nothing", at, key, object[key])
			}
		}
		return ""
	case []any:
		items, ok := got.([]any)
		if !ok || len(items) != len(want) {
			return fmt.Sprintf("%s: %v instead of %d items", at, got, len(want))
		}
		for i := range want {
			if diff := b.same(want[i], items[i], fmt.Sprintf("%s[%d]", at, i)); diff != "" {
				return diff
			}
		}
		return ""
	case string:
		return b.sameText(want, got, at)
	}

	if fmt.Sprint(want) != fmt.Sprint(got) {
		return fmt.Sprintf("%s: %v instead of %v", at, got, want)
	}
	return ""
}

func (b *bindings) sameText(want string, got any, at string) string {
	text, isText := got.(string)
	wrong := fmt.Sprintf("%s: %v instead of %s", at, got, want)
	switch {
	case want == "time":
		if _, err := strconv.ParseUint(text, 10, 64); err != nil {
			return wrong
		}
		return ""
	case want == "the node port":
		if fmt.Sprint(got) != b.port {
			return wrong
		}
		return ""
	case strings.HasPrefix(want, "uuid:"):
		shown := fmt.Sprint(got)
		if !isText {
			data, _ := json.Marshal(got)
			shown = string(data)
		}
		if bound, ok := b.ids[want+formOf(isText)]; ok && bound != shown {
			return wrong
		}
		b.ids[want+formOf(isText)] = shown
		return ""
	case !isText:
		return wrong
	case strings.HasPrefix(want, "pos:") && !strings.Contains(want, "/"):
		return b.samePosition(want, text, wrong)
	case strings.HasPrefix(want, "event ") || strings.HasPrefix(want, "checkpoint "):
		return b.sameBrief(want, text, wrong)
	case want != text:
		return wrong
	}
	return ""
}

// formOf tells the two forms of an id apart: they are not compared with each
// other.
func formOf(isText bool) string {
	if isText {
		return ""
	}
	return " as numbers"
}

func (b *bindings) samePosition(want, got, wrong string) string {
	n, err := strconv.ParseUint(got, 10, 64)
	if err != nil {
		return wrong
	}

	if strings.ContainsAny(want, "+-") {
		if bound, err := b.position(want); err != nil || bound != n {
			return wrong
		}
		return ""
	}

	if bound, ok := b.positions[want]; ok && bound != n {
		return fmt.Sprintf("%s, which was %d before", wrong, bound)
	}

	b.positions[want] = n
	return ""
}

// sameBrief compares two lines: words with words, positions with what they
// are bound to.
func (b *bindings) sameBrief(want, got, wrong string) string {
	wants := strings.FieldsFunc(want, func(r rune) bool { return r == ' ' || r == '/' })
	gots := strings.FieldsFunc(got, func(r rune) bool { return r == ' ' || r == '/' })
	if len(wants) != len(gots) {
		return wrong
	}

	for i, w := range wants {
		if strings.HasPrefix(w, "pos:") {
			if diff := b.samePosition(w, gots[i], wrong); diff != "" {
				return diff
			}
		} else if w != gots[i] {
			return wrong
		}
	}
	return ""
}

// inOrder returns what is wrong with the order of the positions that were
// bound, "" if it is right.
func (b *bindings) inOrder() string {
	names := make([]int, 0, len(b.positions))
	for name := range b.positions {
		n, err := strconv.Atoi(strings.TrimPrefix(name, "pos:"))
		if err != nil {
			return fmt.Sprintf("%s is no placeholder", name)
		}
		names = append(names, n)
	}

	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		a, c := fmt.Sprintf("pos:%d", names[i-1]), fmt.Sprintf("pos:%d", names[i])
		if b.positions[a] >= b.positions[c] {
			return fmt.Sprintf("%s is %d and %s is %d", a, b.positions[a], c, b.positions[c])
		}
	}
	return ""
}
