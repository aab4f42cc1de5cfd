// Package schema writes JSON Schemas (2020-12) of what the outside sends and gets: of
// every type of event, of requests and answers, and of the documents that are published.
// They are made of the shapes and of what the parser reads, and so say nothing else.
package schema

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain/catalog"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// schemaURN begins the $id of every schema; its name follows.
const schemaURN = "urn:consentledger:schema:"

// An object is a JSON Schema, or a part of one.
type object map[string]any

// use is what a Go type is for.
type use uint8

const (
	aRequest use = iota // its members are known, and those without omitzero needed
	anAnswer            // it may gain members
	isData              // its members are known; which are needed the parser says
)

// shapes are the requests and the answers that have a schema. Requests refuse
// members that they do not know; answers may gain members.
var shapes = map[string]struct {
	is reflect.Type
	as use
}{
	"check":          {reflect.TypeFor[wire.CheckRequest](), aRequest},
	"answer":         {reflect.TypeFor[wire.CheckAnswer](), anAnswer},
	"state-request":  {reflect.TypeFor[wire.StateRequest](), aRequest},
	"state":          {reflect.TypeFor[wire.StateAnswer](), anAnswer},
	"prompt-request": {reflect.TypeFor[wire.PromptRequest](), aRequest},
	"prompt":         {reflect.TypeFor[wire.PromptAnswer](), anAnswer},
	"receipt":        {reflect.TypeFor[wire.Receipt](), anAnswer},
	"dry-run":        {reflect.TypeFor[wire.DryRun](), anAnswer},
	"problem":        {reflect.TypeFor[wire.Problem](), anAnswer},
}

// Names returns the names of all schemas: "event" for an event of any type,
// every type, the requests and answers, and the documents that are published.
func Names() []string {
	return slices.Concat([]string{"event"}, slices.Sorted(maps.Keys(shapes)), slices.Sorted(maps.Keys(documents)),
		parse.Types())
}

// Of returns a JSON Schema (2020-12) by its name. It says no more than is
// true: what it refuses is refused, but not all that it lets through is taken.
// One thing is taken that does not fit: an opt-out, without what does not.
// How a text must be written, and what goes together, the refusals say.
func Of(name string) ([]byte, bool) {
	var s object
	k, isType := parse.KindOf(name)
	shape, isShape := shapes[name]
	name = documentName(name)
	document, isDocument := documents[name]
	switch {
	case name == "event":
		s = envelope(object{"enum": parse.Sendable()}, subject{is: anySubject}, object{"type": "object"}, false)
	case isType:
		name = k.Name()
		s = envelope(nameOf(k), subjectOf(k), dataOfKind(k), k.NeedsData())
	case isShape:
		s = schemaOf(shape.is, shape.as)
	case isDocument:
		s = documentSchema(document)
	default:
		return nil, false
	}

	s["type"] = "object"
	s["$schema"], s["$id"], s["title"] = "https://json-schema.org/draft/2020-12/schema", schemaURN+name, name
	b, err := json.Marshal(s, json.Deterministic(true), jsontext.Multiline(true))
	if err != nil {
		panic("schema: the schema of " + name + " does not make JSON: " + err.Error())
	}
	return b, true
}

// envelope is what stands around data, as package parse reads it. An
// attribute that is null is none.
func envelope(kind object, whom subject, data object, needsData bool) object {
	text := object{"type": []string{"string", "null"}}
	name := object{"type": "string", "minLength": 1, "maxLength": 512}
	properties := object{
		"specversion": object{"const": "1.0"}, "id": name, "source": name, "type": kind, "data": data,
		"time":       object{"type": []string{"string", "null"}, "description": "RFC 3339"},
		"subject":    whom.is,
		"actor":      object{"enum": []any{"person", "guardian", "operator", "system", "authority", "", nil}},
		"sequence":   textOrInteger,
		"onbehalfof": text, "dataschema": text, "datacontenttype": text,
		"data_base64": object{"type": []string{"string", "null"}, "contentEncoding": "base64",
			"description": "data, as the Base64 of its JSON text; for SDKs that have bytes"},
	}
	required := []string{"specversion", "id", "source", "type"}
	data["type"] = []string{"object", "null"} // null is none
	if whom.needed {
		required = append(required, "subject")
	}
	return object{"type": "object", "properties": properties, "required": required, "anyOf": carriers(needsData)}
}

// A subject says of an event's subject what it may be, and whether it must be there.
type subject struct {
	is     object
	needed bool
}

var anySubject = object{"type": []string{"string", "null"}, "description": "account:ID, device:ID or ID"}

// subjectOf returns what the subject of a kind's events is.
func subjectOf(k parse.Kind) subject {
	if k.NamesPerson() {
		return subject{object{"type": "string", "minLength": 1, "description": "account:ID, device:ID or ID"}, true}
	}
	if k.NamesNobody() {
		return subject{object{"enum": []any{"", nil}, "description": "none: it is about the app as a whole"}, false}
	}
	return subject{is: anySubject}
}

// carriers say in which member data are: in one of two, or in none where none are
// needed. A member that is null is none.
func carriers(needsData bool) []object {
	is := func(data, base64 string, required ...string) object {
		members := object{"data": object{"type": data}, "data_base64": object{"type": base64}}
		return object{"type": "object", "properties": members, "required": slices.Concat([]string{}, required)}
	}
	forms := []object{is("object", "null", "data"), is("null", "string", "data_base64")}
	if !needsData {
		forms = append(forms, is("null", "null"))
	}
	return forms
}

// textOrInteger are two types, and apart: strict validators take no list of more than
// one and null.
var textOrInteger = object{"anyOf": []object{{"type": []string{"string", "null"}}, {"type": "integer"}}}

// nameOf returns the schema of the type's own name.
func nameOf(k parse.Kind) object {
	if k.Alias() != "" {
		return object{"enum": []string{k.Name(), k.Alias()},
			"description": "both are one type; records have the first name"}
	}
	return object{"const": k.Name()}
}

// dataOfKind returns the schema of an event's data: by the domain's table of notes or
// of steps, or by the shape that it is read into.
func dataOfKind(k parse.Kind) object {
	if rule, is := catalog.NoteRuleOf(catalog.Note(k.Name())); is {
		s := schemaOfFields(rule.Fields)
		if rule.Person {
			s["properties"].(object)["details"] = object{"type": []string{"object", "null"}}
		}
		return s
	}

	if rule, is := catalog.StepRuleOf(catalog.Step(k.Name())); is {
		s := schemaOfFields(rule.Fields)
		s["properties"].(object)[string(rule.Of)] = object{"type": "string"}
		if rule.Of == catalog.Request {
			s["properties"].(object)["details"] = object{"type": []string{"object", "null"}}
		}
		return s
	}

	s := schemaOf(k.Shape(), isData)
	s["type"] = "object"
	if required := requiredOf(k); len(required) > 0 {
		s["required"] = required
	}
	return s
}

// requiredOf returns the members without which the example is refused as
// incomplete: the parser is asked.
func requiredOf(k parse.Kind) (names []string) {
	var example map[string]jsontext.Value
	if err := json.Unmarshal(k.Example(), &example); err != nil {
		panic("schema: the example of " + k.Name() + ": " + err.Error())
	}

	for _, name := range slices.Sorted(maps.Keys(example)) {
		rest := maps.Clone(example)
		delete(rest, name)
		data, err := json.Marshal(rest)
		if err != nil {
			panic("schema: the example of " + k.Name() + ": " + err.Error())
		}
		if err := k.Reads(data); err != nil && strings.HasSuffix(err.Error(), "data."+name+" is missing") {
			names = append(names, name)
		}
	}
	return names
}

// schemaOfFields is of data whose members are texts, by a table of the domain.
func schemaOfFields(fields []catalog.FieldRule) object {
	properties := object{"evidence": object{"type": "string", "description": "a hash, sha256:..."}}
	required := []string{}
	for _, f := range fields {
		properties[f.Name] = object{"type": "string"}
		if f.Form == catalog.FormChoice {
			properties[f.Name] = object{"type": "string", "enum": f.Choices}
		}
		if f.Required {
			required = append(required, f.Name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// schemaOf is of what a Go type reads or writes. What is read may be null, which
// is as if it were absent.
func schemaOf(t reflect.Type, as use) object {
	kind := ""
	s := object{}
	switch t.Kind() {
	case reflect.String:
		kind = "string"
	case reflect.Bool:
		kind = "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		kind = "integer"
	case reflect.Pointer:
		return schemaOf(t.Elem(), as)
	case reflect.Slice:
		kind = "array"
		if t == reflect.TypeFor[jsontext.Value]() { // details
			kind = "object"
			break
		}
		s["items"] = schemaOf(t.Elem(), as)
	case reflect.Struct:
		kind = "object"
		addMembers(t, as, s)
	default:
		panic("schema: no schema says what a " + t.String() + " is")
	}

	s["type"] = []string{kind, "null"}
	if as == anAnswer {
		s["type"] = kind
	}
	return s
}

// addMembers adds what a struct has to its schema.
func addMembers(t reflect.Type, as use, s object) {
	properties, required := object{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := schemaOf(f.Type, as)
		if doc := f.Tag.Get("doc"); doc != "" {
			p["description"] = doc
		}
		properties[name] = p
		if options == "" && as != isData {
			required = append(required, name)
		}
	}

	s["properties"] = properties
	if as != anAnswer {
		s["additionalProperties"] = false
	}
	if len(required) > 0 {
		s["required"] = required
	}
}
