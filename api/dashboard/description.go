package dashboard

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A description is the API's OpenAPI document, as far as the pages of the API show it.
type description struct {
	Tags []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	} `json:"tags"`
	Paths      map[string]map[string]*operation `json:"paths"`
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
}

// An operation is one route of the API.
type operation struct {
	ID          string      `json:"operationId"`
	Summary     string      `json:"summary"`
	Description string      `json:"description"`
	Tags        []string    `json:"tags"`
	Parameters  []parameter `json:"parameters"`
	RequestBody struct {
		Content map[string]media `json:"content"`
	} `json:"requestBody"`
	Responses map[string]response `json:"responses"`

	Method string `json:"-"`
	Path   string `json:"-"`
}

// A parameter is one of a path, a query or a header.
type parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Description string `json:"description"`
	Required    bool   `json:"required"`
	Flag        bool   `json:"allowEmptyValue"` // it is there or not, and has no value
}

// A response is what an operation answers with a status.
type response struct {
	Description string `json:"description"`
	Headers     map[string]struct {
		Description string `json:"description"`
	} `json:"headers"`
	Content map[string]media `json:"content"`
}

type media struct {
	Schema *schema `json:"schema"`
}

// A schema is what of a JSON Schema the document of the API uses.
type schema struct {
	Ref         string             `json:"$ref"`
	Type        kinds              `json:"type"`
	Format      string             `json:"format"`
	Description string             `json:"description"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Items       *schema            `json:"items"`
	OneOf       []*schema          `json:"oneOf"`
	AllOf       []*schema          `json:"allOf"`
	Others      values             `json:"additionalProperties"`
	Enum        []any              `json:"enum"`
	Examples    []any              `json:"examples"`
}

// kinds are the types of a schema, which the document writes as a text if it is one.
type kinds []string

func (k *kinds) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(k))
	}
	*k = make(kinds, 1)
	return json.Unmarshal(b, &(*k)[0])
}

// values is the schema of members that have any name; nil: there are none, or they are anything.
type values struct{ *schema }

func (v *values) UnmarshalJSON(b []byte) error {
	if b[0] != '{' {
		return nil
	}
	return json.Unmarshal(b, &v.schema)
}

// A describer keeps the description. It is part of the program: one that was read stays right.
type describer struct {
	mu   sync.Mutex
	read *description // guarded by mu; nil: it was not read yet
}

// of returns the description, by the API's own answer.
func (d *describer) of(a *ask) (*description, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.read != nil {
		return d.read, nil
	}

	read := new(description)
	if err := a.get("/openapi.json", nil, read); err != nil {
		return nil, err
	}
	for path, item := range read.Paths {
		for method, op := range item {
			op.Method, op.Path = strings.ToUpper(method), path
		}
	}
	d.read = read
	return read, nil
}

// operations returns all operations, in the order of their paths.
func (d *description) operations() (all []*operation) {
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		item := d.Paths[path]
		for _, method := range slices.Sorted(maps.Keys(item)) {
			all = append(all, item[method])
		}
	}
	return all
}

// find returns the operation of an id; nil: there is none.
func (d *description) find(id string) *operation {
	for _, op := range d.operations() {
		if op.ID == id {
			return op
		}
	}
	return nil
}

// resolve returns what a schema that names another stands for, with what it says of its own, and
// the name; empty: it names none.
func (d *description) resolve(s *schema) (*schema, string) {
	own := s.Description
	if s.Ref == "" && len(s.AllOf) == 1 {
		s = s.AllOf[0]
	}
	name, is := strings.CutPrefix(s.Ref, "#/components/schemas/")
	if !is || d.Components.Schemas[name] == nil {
		return s, ""
	}
	named := *d.Components.Schemas[name]
	named.Description = cmp.Or(own, named.Description)
	return &named, name
}

// A member is one of a body or an answer, at any depth.
type member struct {
	Path     string // as in data.purposes[]
	Type     string
	Says     string
	Required bool
	Values   []string // the only ones; none: any
}

// deepest bounds how far members of members are listed.
const deepest = 8

// members lists what a value of a schema has.
func (d *description) members(s *schema) []member {
	var all []member
	d.list(&all, "", s, nil)
	return all
}

// list adds the members of a schema that is at a path, within schemas of these names.
func (d *description) list(all *[]member, path string, s *schema, within []string) {
	s, name := d.resolve(s)
	if name != "" {
		if slices.Contains(within, name) || len(within) >= deepest {
			return // what it has stands above
		}
		within = append(within[:len(within):len(within)], name)
	}

	for _, one := range s.OneOf {
		d.list(all, path, one, within)
	}
	if s.Items != nil {
		d.list(all, path+"[]", s.Items, within)
	}
	if s.Others.schema != nil {
		d.list(all, strings.TrimPrefix(path+".*", "."), s.Others.schema, within)
	}

	for _, key := range s.keys() {
		of := s.Properties[key]
		at := strings.TrimPrefix(path+"."+key, ".")
		known, _ := d.resolve(of)
		m := member{Path: at, Type: d.typeOf(of), Says: known.Description, Required: slices.Contains(s.Required, key)}
		for _, v := range known.Enum {
			m.Values = append(m.Values, textOf(v))
		}
		*all = append(*all, m)
		d.list(all, at, of, within)
	}
}

// keys are the names of a schema's members, those that are required first.
func (s *schema) keys() []string {
	var first, rest []string
	for _, key := range slices.Sorted(maps.Keys(s.Properties)) {
		if slices.Contains(s.Required, key) {
			first = append(first, key)
		} else {
			rest = append(rest, key)
		}
	}
	return append(first, rest...)
}

// typeOf returns the type of a schema, as a reader knows it from JSON.
func (d *description) typeOf(s *schema) string {
	s, name := d.resolve(s)
	if len(s.OneOf) > 0 {
		var all []string
		for _, one := range s.OneOf {
			all = append(all, d.typeOf(one))
		}
		return strings.Join(all, " | ")
	}
	var all []string
	for _, kind := range s.Type {
		switch {
		case kind == "null" && slices.Contains(s.Type, "array"):
			continue // no elements
		case kind == "array" && s.Items != nil:
			kind = d.typeOf(s.Items) + "[]"
		case kind == "object" && name != "":
			kind = name
		case kind == "string" && s.Format != "":
			kind += " (" + s.Format + ")"
		}
		all = append(all, kind)
	}
	return cmp.Or(strings.Join(all, " | "), "JSON")
}

// samples are what an example has for members of these names.
var samples = map[string]string{"subject": "account:user-1", "reason": "audit", "by": "officer"}

// example returns a value of a schema: the one that it gives, or one with the members that are
// required.
func (d *description) example(s *schema, name string, depth int) any {
	s, _ = d.resolve(s)
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.Enum) > 0:
		return s.Enum[0]
	case depth > deepest:
		return nil
	case len(s.OneOf) > 0:
		return d.example(s.OneOf[0], name, depth+1)
	}

	kind := "object"
	if len(s.Type) > 0 {
		kind = s.Type[0]
	}
	switch kind {
	case "array":
		return []any{d.example(s.Items, name, depth+1)}
	case "boolean":
		return false
	case "integer", "number":
		return 1
	case "string":
		return sampleText(name, s.Format)
	}
	object := map[string]any{}
	for _, key := range s.Required {
		if of := s.Properties[key]; of != nil {
			object[key] = d.example(of, key, depth+1)
		}
	}
	return object
}

func sampleText(name, format string) string {
	switch format {
	case "date-time":
		return "2026-01-02T09:30:00Z"
	case "date":
		return "2026-01-02"
	}
	return cmp.Or(samples[name], "text")
}

func textOf(v any) string {
	if text, is := v.(string); is {
		return text
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
