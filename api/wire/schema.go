package wire

import (
	"maps"
	"reflect"
	"slices"
	"strings"

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
	"check":          {reflect.TypeFor[CheckRequest](), aRequest},
	"answer":         {reflect.TypeFor[CheckAnswer](), anAnswer},
	"state-request":  {reflect.TypeFor[StateRequest](), aRequest},
	"state":          {reflect.TypeFor[StateAnswer](), anAnswer},
	"prompt-request": {reflect.TypeFor[PromptRequest](), aRequest},
	"prompt":         {reflect.TypeFor[PromptAnswer](), anAnswer},
	"receipt":        {reflect.TypeFor[Receipt](), anAnswer},
	"problem":        {reflect.TypeFor[Problem](), anAnswer},
}

// Schemas returns the names of all schemas: "event" for an event of any type,
// every type, the requests and answers, and the documents that are published.
func Schemas() []string {
	return slices.Concat([]string{"event"}, slices.Sorted(maps.Keys(shapes)), slices.Sorted(maps.Keys(documents)), Types())
}

// Schema returns a JSON Schema (2020-12) by its name. It says no more than is
// true: what it refuses is refused, but not all that it lets through is taken.
// One thing is taken that does not fit: an opt-out, without what does not.
// How a text must be written, and what goes together, the refusals say.
func Schema(name string) ([]byte, bool) {
	var s object
	k, isType := kindOfType(name)
	shape, isShape := shapes[name]
	name = documentName(name)
	document, isDocument := documents[name]
	switch {
	case name == "event":
		s = envelope(object{"enum": sendable()}, either, object{"type": "object"}, false)
	case isType:
		name = k.name
		s = envelope(nameOf(k), k.about, dataOfKind(k), k.needsData())
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
		panic("wire: the schema of " + name + " does not make JSON: " + err.Error())
	}
	return b, true
}

// envelope is what stands around data, as [members] and [parse] read it. An
// attribute that is null is none.
func envelope(kind object, whom about, data object, needsData bool) object {
	text := object{"type": []string{"string", "null"}}
	name := object{"type": "string", "minLength": 1, "maxLength": 512}
	properties := object{
		"specversion": object{"const": "1.0"}, "id": name, "source": name, "type": kind, "data": data,
		"time":    object{"type": []string{"string", "null"}, "description": "RFC 3339"},
		"subject": object{"type": []string{"string", "null"}, "description": "account:ID, device:ID or ID"},
		"actor":   object{"enum": []any{"person", "guardian", "operator", "system", "authority", "", nil}}, "sequence": textOrInteger,
		"onbehalfof": text, "dataschema": text, "datacontenttype": text,
		"data_base64": object{"type": []string{"string", "null"}, "contentEncoding": "base64", "description": "data, as the Base64 of its JSON text; for SDKs that have bytes"},
	}
	required := []string{"specversion", "id", "source", "type"}
	data["type"] = []string{"object", "null"} // null is none
	switch whom {
	case aPerson:
		required, properties["subject"] = append(required, "subject"), object{"type": "string", "minLength": 1, "description": "account:ID, device:ID or ID"}
	case theApp:
		properties["subject"] = object{"enum": []any{"", nil}, "description": "none: it is about the app as a whole"}
	case either:
	}
	return object{"type": "object", "properties": properties, "required": required, "anyOf": carriers(needsData)}
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
func nameOf(k kind) object {
	if k.alias != "" {
		return object{"enum": []string{k.name, k.alias}, "description": "both are one type; records have the first name"}
	}
	return object{"const": k.name}
}

// dataOfKind returns the schema of an event's data: by the domain's table of notes or
// of steps, or by the shape that it is read into.
func dataOfKind(k kind) object {
	if rule, is := catalog.NoteRuleOf(catalog.Note(k.name)); is {
		s := schemaOfFields(rule.Fields)
		if rule.Person {
			s["properties"].(object)["details"] = object{"type": []string{"object", "null"}}
		}
		return s
	}
	if rule, is := catalog.StepRuleOf(catalog.Step(k.name)); is {
		s := schemaOfFields(rule.Fields)
		s["properties"].(object)[string(rule.Of)] = object{"type": "string"}
		if rule.Of == catalog.Request {
			s["properties"].(object)["details"] = object{"type": []string{"object", "null"}}
		}
		return s
	}
	s := schemaOf(k.shapeOf(), isData)
	s["type"] = "object"
	if required := requiredOf(k); len(required) > 0 {
		s["required"] = required
	}
	return s
}

// requiredOf returns the members without which the example is refused as
// incomplete: the parser is asked.
func requiredOf(k kind) (names []string) {
	var example map[string]jsontext.Value
	if err := json.Unmarshal(fill(1).example(k), &example); err != nil {
		panic("wire: the example of " + k.name + ": " + err.Error())
	}
	for _, name := range slices.Sorted(maps.Keys(example)) {
		rest := maps.Clone(example)
		delete(rest, name)
		data, err := json.Marshal(rest)
		if err != nil {
			panic("wire: the example of " + k.name + ": " + err.Error())
		}
		if err := k.reads(data); err != nil && strings.HasSuffix(err.Error(), "data."+name+" is missing") {
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
		panic("wire: no schema says what a " + t.String() + " is")
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
