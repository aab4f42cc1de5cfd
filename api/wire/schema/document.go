package schema

import (
	"reflect"
	"strings"

	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/codec/shape"
	"consentledger/eventstore/codec/surfacedoc"
)

// A document is what people write in a file and publish.
type document struct {
	schema  string // the name that the document itself says
	shape   reflect.Type
	choices func(reflect.Type) []string
	pattern func(reflect.Type) string
	files   map[string][]fileMember // by the definition that has them
}

// A fileMember is a member that a file may have instead of one of the document: it
// names a file whose hash the document has.
type fileMember struct {
	name, instead string
	must          bool // a document without either is refused
	doc           string
}

// documents are the documents that have a schema. It is of the files as people write
// them and of the documents that are made of these.
var documents = map[string]document{
	"policy": {policydoc.Schema, policydoc.Shape(), policydoc.Choices, policydoc.Pattern, map[string][]fileMember{
		"text": {{"file", "hash", true,
			"the file with the text, below the folder of this one; the document has its hash instead"}},
	}},
	"surface": {surfacedoc.Schema, surfacedoc.Shape(), surfacedoc.Choices, surfacedoc.Pattern, map[string][]fileMember{
		"locale": {{"file", "text", false,
			"the file with the text that the screen shows or leads to, below the folder of this one; the document " +
				"has its hash instead"}, {"picture", "screenshot", false,
			"the file with a picture of the screen (PNG, JPEG or WebP), below the folder of this one; the document has " +
				"its hash instead, and the ledger keeps the picture"}},
		"surface": {{"certificate", "signing", true,
			"the file with the certificate that the build is signed with, PEM or DER, below the folder of this one; " +
				"the document has its hash instead"}},
	}},
}

// documentName returns the name of the schema of documents that call themselves so:
// policy/1 is policy.
func documentName(name string) string {
	for short, d := range documents {
		if d.schema == name {
			return short
		}
	}
	return name
}

// documentSchema returns the schema of a document. Every part of it that has members
// is a definition.
func documentSchema(d document) object {
	defs := object{}
	s := d.structure(d.shape, defs)
	s["properties"].(object)["schema"].(object)["const"] = d.schema
	s["$defs"] = defs
	return s
}

func (d document) structure(t reflect.Type, defs object) object {
	properties, required := object{}, []string{}
	for _, m := range shape.Members(t) {
		p := d.value(m.Type, defs)
		p["description"] = m.Doc
		properties[m.Name] = p
		if m.Must {
			required = append(required, m.Name)
		}
	}
	s := object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}

	for _, file := range d.files[definition(t)] {
		properties[file.name] = object{"type": "string", "description": file.doc}
		if file.must {
			s["anyOf"] = []object{having(file.instead), having(file.name)}
		}
	}
	return s
}

// having is of what has a text as a member. Strict validators want to be told what
// the member is.
func having(name string) object {
	return object{"type": "object", "properties": object{name: object{"type": "string"}}, "required": []string{name}}
}

// definition returns the name of a part: of purposeV1, purpose.
func definition(t reflect.Type) string { return strings.TrimSuffix(t.Name(), "V1") }

func (d document) value(t reflect.Type, defs object) object {
	if choices := d.choices(t); choices != nil {
		return object{"type": "string", "enum": choices}
	}
	if pattern := d.pattern(t); pattern != "" {
		return object{"type": "string", "pattern": pattern}
	}

	switch t.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		return object{"type": "integer"}
	case reflect.Slice:
		return object{"type": "array", "items": d.value(t.Elem(), defs)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.value(t.Elem(), defs)}
	case reflect.Struct:
		name := definition(t)
		if _, known := defs[name]; !known {
			defs[name] = object{} // a part that has itself as a part ends here
			defs[name] = d.structure(t, defs)
		}
		return object{"$ref": "#/$defs/" + name}
	}
	panic("schema: no schema says what a " + t.String() + " is")
}
