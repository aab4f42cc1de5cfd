package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"consentledger/api/wire/parse"
	"consentledger/domain/deadline"
)

// A generator makes values of the schemas of a description. What it learned from answers it
// uses where a member or a parameter has the same name, so that what it asks for is there.
type generator struct {
	doc   map[string]any
	rng   *rand.Rand
	known map[string][]any
	fixed map[string]bool // names of which nothing is learned
	made  int             // events, each of which gets an id of its own
}

// deep is the depth at which an object has only the members that it needs.
const deep = 5

// remembered bounds how many values of one name are known.
const remembered = 24

func newGenerator(doc map[string]any) generator {
	today := time.Now().UTC()
	g := generator{doc: doc, known: map[string][]any{}, fixed: map[string]bool{}, rng: rand.New(rand.NewPCG(1, 2))}
	for name, values := range map[string][]any{
		"app":      {"shop", "shop", "shop", "bank"},
		"subject":  {"account:user-1", "user-1", "device:d-1", "user-2"},
		"purpose":  {"personalisation", "network-diagnosis", "promotion-evaluation"},
		"format":   {"json", "csv", "xlsx", "ics"},
		"register": {"processing", "transfers", "recipients"},
		"limit":    {"1", "2", "100"},
		"reason":   {"audit", "dsr", "service-ended"},
		"lang":     {"en", "zh-CN"},
		"from":     {today.AddDate(0, 0, -7).Format(time.RFC3339)},
		"to":       {today.AddDate(0, 0, 1).Format(time.RFC3339)},
		"known_at": {today.Format(time.RFC3339)},
		"valid_at": {today.Format(time.RFC3339)},
		"as_of":    {today.Format(time.RFC3339)},
		"roles":    {"auditor", "reader"},
		"group":    {"family"},
		"days":     {30},
	} {
		g.known[name], g.fixed[name] = values, true
	}
	return g
}

func pick[T any](rng *rand.Rand, of []T) T { return of[rng.IntN(len(of))] }

// aliases are other names under which a value is known.
var aliases = map[string][]string{
	"cursor": {"next"}, "after": {"next", "position"}, "min_position": {"as_of", "position"}, "person": {"person"},
	"records": {"event_id", "event"}, "event": {"event_id"}, "hash": {"hash", "document"}, "name": {"schemas"},
	"seq": {"seq"}, "job": {"erasures/id"}, "subjects": {"subject"},
}

// parameter returns a value of a parameter. An id is one of what stands before it in the
// path.
func (g *generator) parameter(op operation, name string, schema map[string]any) any {
	if before, _, cut := strings.Cut(op.path, "/{"+name); cut && name != "app" {
		noun := before[strings.LastIndex(before, "/")+1:]
		if noun == "subjects" {
			name = "subject"
		}
		singular := strings.TrimSuffix(noun, "s")
		for _, known := range []string{noun + "/id", singular, name} {
			if values := g.known[known]; len(values) > 0 && g.rng.IntN(8) > 0 {
				return pick(g.rng, values)
			}
		}
	}
	return g.value(schema, name, 0)
}

// learnText remembers what an answer names that is of a noun.
func (g *generator) learnText(text, noun string) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err == nil {
		g.learn(v, noun)
	}
}

// learn remembers values by their names, and ids by the names of what they are of.
func (g *generator) learn(v any, name string) {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range slices.Sorted(maps.Keys(v)) {
			of := member
			if member == "id" {
				of = name + "/id"
			}
			g.learn(v[member], of)
		}
	case []any:
		for _, one := range v[:min(len(v), remembered)] {
			g.learn(one, name)
		}
	case string, float64:
		known := g.known[name]
		switch {
		case g.fixed[name] || slices.Contains(known, v):
		case len(known) < remembered:
			g.known[name] = append(known, v)
		default: // the newest are as good as the oldest
			known[g.made%remembered] = v
			g.made++
		}
	}
}

// resolve follows references.
func (g *generator) resolve(schema map[string]any) (map[string]any, string) {
	name := ""
	for {
		if all, has := schema["allOf"].([]any); has && len(all) == 1 {
			schema = all[0].(map[string]any)
		}
		ref, has := schema["$ref"].(string)
		if !has {
			return schema, name
		}
		name = ref[strings.LastIndex(ref, "/")+1:]
		schema = g.doc["components"].(map[string]any)["schemas"].(map[string]any)[name].(map[string]any)
	}
}

// value returns a value that a schema takes, of a member of that name.
func (g *generator) value(schema map[string]any, name string, depth int) any {
	schema, shape := g.resolve(schema)
	if shape == "Event" {
		return g.event()
	}
	if several, has := schema["oneOf"].([]any); has {
		return g.value(pick(g.rng, several).(map[string]any), name, depth)
	}
	if values, has := schema["enum"].([]any); has && g.rng.IntN(8) > 0 {
		return pick(g.rng, values)
	}

	kind, _ := schema["type"].(string)
	if kinds, several := schema["type"].([]any); several {
		kind = pick(g.rng, kinds).(string)
	}
	if kind != "array" && kind != "object" {
		for _, known := range append([]string{name}, aliases[name]...) {
			if values := g.known[known]; len(values) > 0 && g.rng.IntN(8) > 0 {
				return pick(g.rng, values)
			}
		}
	}

	switch kind {
	case "object":
		return g.object(schema, name, depth)
	case "array":
		items, _ := schema["items"].(map[string]any)
		list := []any{}
		for range 1 + g.rng.IntN(2) {
			list = append(list, g.value(items, name, depth+1))
		}
		return list
	case "integer", "number":
		return g.number(schema)
	case "boolean":
		return g.rng.IntN(2) == 0
	case "string":
		return g.text(schema)
	}
	return pick(g.rng, []any{"x", 1, true, map[string]any{}})
}

func (g *generator) object(schema map[string]any, name string, depth int) any {
	object := map[string]any{}
	required, _ := schema["required"].([]any)
	properties, _ := schema["properties"].(map[string]any)
	for _, member := range slices.Sorted(maps.Keys(properties)) {
		needed := slices.Contains(required, any(member))
		if needed || depth < deep && g.rng.IntN(2+len(properties)/3) == 0 {
			object[member] = g.value(properties[member].(map[string]any), member, depth+1)
		}
	}
	if of, has := schema["additionalProperties"].(map[string]any); has {
		object["k"] = g.value(of, name, depth+1)
	}
	return object
}

func (g *generator) number(schema map[string]any) any {
	least, most := 0.0, 40.0
	if n, has := schema["minimum"].(float64); has {
		least = n
	}
	if n, has := schema["maximum"].(float64); has {
		most = n
	}
	return int(least) + g.rng.IntN(int(max(1, min(most-least, 40))))
}

func (g *generator) text(schema map[string]any) any {
	now := time.Now().UTC()
	switch schema["format"] {
	case "date-time":
		return now.AddDate(0, 0, g.rng.IntN(20)-10).Format(time.RFC3339)
	case "date":
		return now.AddDate(0, 0, g.rng.IntN(20)-10).Format(time.DateOnly)
	}
	if example, has := schema["examples"].([]any); has && g.rng.IntN(2) == 0 {
		return example[0]
	}
	return pick(g.rng, []string{"en", "consent.given", "open", "true", "1", "2026-03-02", "user-1", "access",
		"personalisation", "p", "0", "Asia/Shanghai", "https://example.com/hook"})
}

// event returns an event that may be recorded: an example of one of the types, under an id
// that is new.
func (g *generator) event() any {
	all := parse.Examples(deadline.At(time.Now()))
	for {
		e := pick(g.rng, all)
		if strings.HasPrefix(e.Type, "service.") || strings.HasPrefix(e.Type, "app.") {
			continue // after it nothing else is recorded
		}
		var event map[string]any
		if err := json.Unmarshal(e.Event, &event); err != nil {
			panic(err)
		}
		g.made++
		event["id"] = fmt.Sprintf("made-%d", g.made)
		if _, about := event["subject"]; about {
			event["subject"] = fmt.Sprintf("account:user-%d", g.rng.IntN(4))
		}
		return event
	}
}

// spoil makes one thing of a value wrong.
func (g *generator) spoil(v any) any {
	switch w := v.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(w))
		if len(names) > 0 && g.rng.IntN(4) > 0 {
			name := pick(g.rng, names)
			if g.rng.IntN(4) == 0 {
				delete(w, name)
				return w
			}
			w[name] = g.spoil(w[name])
			return w
		}
		if g.rng.IntN(2) == 0 {
			w[secret] = "x"
			return w
		}
	case []any:
		if len(w) > 0 && g.rng.IntN(2) == 0 {
			i := g.rng.IntN(len(w))
			w[i] = g.spoil(w[i])
			return w
		}
	}
	return pick(g.rng, []any{
		nil, secret, "", -1, math.MaxInt64, 1.5, true, []any{}, map[string]any{}, strings.Repeat("long ", 3000),
		"\u0000", "9999-99-99T00:00:00Z", []any{nil}, map[string]any{"a": map[string]any{"b": []any{1}}},
		"sha256:00", "\u202e" + secret,
	})
}
