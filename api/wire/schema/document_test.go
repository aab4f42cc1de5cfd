package schema

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"consentledger/eventstore/codec/shape"
)

var update = flag.Bool("update", false, "write the reference in docs/policy.md anew")

// The page that is made of the schemas, and where in it.
const (
	referencePage = "../../../docs/policy.md"
	referenceFrom = "<!-- from here on written by: go test ./api/wire/schema -run Reference -update -->\n"
)

// docs/policy.md describes every member of a policy and of a surface as their schemas
// do.
func TestTheReferenceIsTheSchemas(t *testing.T) {
	page, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(page), referenceFrom)
	if !found {
		t.Fatalf("%s does not say where the reference begins", referencePage)
	}
	want := "\n" + reference(t, "policy") + reference(t, "surface")
	if *update {
		if err := os.WriteFile(referencePage, []byte(before+referenceFrom+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if after != want {
		t.Errorf("%s is not what the schemas say: write it anew with go test ./api/wire/schema -run Reference -update", referencePage)
	}
}

// A part is what is read of a schema.
type part struct {
	Type        string          `json:"type"`
	Description string          `json:"description"`
	Enum        []string        `json:"enum"`
	Pattern     string          `json:"pattern"`
	Ref         string          `json:"$ref"`
	Items       *part           `json:"items"`
	More        any             `json:"additionalProperties"`
	Properties  map[string]part `json:"properties"`
	Required    []string        `json:"required"`
	Defs        map[string]part `json:"$defs"`
}

// reference returns the tables of a document: one of the whole and one of each part,
// in the order in which the whole has them.
func reference(t *testing.T, name string) string {
	t.Helper()
	text, _ := Of(name)
	var whole part
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	d := documents[name]
	fmt.Fprintf(&b, "## %s\n\n", d.schema)
	table(&b, d, d.shape, whole)
	for _, sub := range parts(d.shape) {
		def := whole.Defs[definition(sub)]
		fmt.Fprintf(&b, "### %s: %s\n\n", d.schema, definition(sub))
		table(&b, d, sub, def)
	}
	return b.String()
}

// parts returns the types of the parts of a document that have members.
func parts(t reflect.Type) (found []reflect.Type) {
	for _, m := range shape.Members(t) {
		of := m.Type
		for of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct || slices.Contains(found, of) {
			continue
		}
		found = append(found, of)
		for _, sub := range parts(of) {
			if !slices.Contains(found, sub) {
				found = append(found, sub)
			}
		}
	}
	return found
}

func table(b *strings.Builder, d document, t reflect.Type, p part) {
	b.WriteString("| member | what | |\n|---|---|---|\n")
	var names []string
	for _, m := range shape.Members(t) {
		names = append(names, m.Name)
	}
	for _, file := range d.files[definition(t)] {
		names = append(names, file.name)
	}
	for _, name := range names {
		m := p.Properties[name]
		must := ""
		if slices.Contains(p.Required, name) {
			must = ", required"
		}
		fmt.Fprintf(b, "| `%s` | %s%s | %s |\n", name, m.what(d.schema), must, strings.ReplaceAll(m.Description, "|", "\\|"))
	}
	b.WriteString("\n")
}

// what returns in words what a member is.
func (p part) what(schema string) string {
	switch {
	case p.Ref != "":
		name := p.Ref[strings.LastIndexByte(p.Ref, '/')+1:]
		return fmt.Sprintf("[%s](#%s-%s)", name, strings.ReplaceAll(schema, "/", ""), strings.ToLower(name))
	case len(p.Enum) > 0:
		return "`" + strings.Join(p.Enum, "`, `") + "`"
	case p.Pattern == `^sha256:[0-9a-f]{64}$`:
		return "`sha256:` and 64 hex digits"
	case p.Items != nil && p.Items.Ref == "" && len(p.Items.Enum) == 0:
		return "list of texts"
	case p.Items != nil:
		return "list of " + p.Items.what(schema)
	case p.Type == "boolean":
		return "`true`"
	case p.Type == "integer":
		return "whole number"
	case p.Type == "object":
		return "texts by key"
	}
	return "text"
}

// Every member is described, and every enumeration has its texts.
func TestEveryMemberOfADocumentIsDescribed(t *testing.T) {
	for name := range documents {
		text, _ := Of(name)
		var whole part
		if err := json.Unmarshal(text, &whole); err != nil {
			t.Fatal(err)
		}
		whole.Defs[name] = whole
		for def, p := range whole.Defs {
			for member, m := range p.Properties {
				if m.Description == "" {
					t.Errorf("%s %s.%s is not described", name, def, member)
				}
			}
			if len(p.Properties) == 0 {
				t.Errorf("%s %s has no members", name, def)
			}
		}
	}
	for _, enum := range []string{`"consent",`, `"working_day",`, `"next_working_day"`, `"in-app",`, `"authoritative",`} {
		if text, _ := Of("policy/1"); !bytes.Contains(text, []byte(enum)) {
			t.Errorf("no enumeration has %s", enum)
		}
	}
	if text, _ := Of("surface"); !bytes.Contains(text, []byte(`"unticked",`)) {
		t.Error("no enumeration has the states of a control")
	}
	if got := slices.Sorted(maps.Keys(documents)); !slices.Equal(got, []string{"policy", "surface"}) {
		t.Errorf("documents: %v", got)
	}
}
