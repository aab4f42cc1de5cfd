package starter_test

import (
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"

	"consentledger/api/policyfile"
	"consentledger/api/policyfile/starter"
	"consentledger/api/wire/schema"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/codec/shape"
	"consentledger/eventstore/codec/surfacedoc"

	"github.com/go-json-experiment/json"
	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// beside opens files by their names.
func beside(files map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if text, has := files[name]; has {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
}

// compiled are the schemas that were compiled.
var compiled = map[string]*jsonschema.Schema{}

// fits asks a schema about a file, as an editor does.
func fits(t *testing.T, schema string, file []byte) error {
	t.Helper()
	if compiled[schema] == nil {
		compiled[schema] = compile(t, schema)
	}
	body, err := yaml.YAMLToJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return compiled[schema].Validate(v)
}

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	text, _ := schema.Of(name)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:"+name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("urn:" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Lint finds nothing in any policy to begin with, whoever answers for the app, and
// both files fit their schemas.
func TestWhatPeopleBeginWithLacksNothing(t *testing.T) {
	for _, law := range starter.Laws {
		for _, language := range starter.Languages {
			for _, handler := range []string{"", `"A: B" & Söhne #1`} {
				c := starter.Choice{Law: law, Language: language, App: "notes", Handler: handler}
				if err := c.Check(); err != nil {
					t.Fatal(err)
				}
				policy, words := c.Policy("p.txt")
				open := beside(map[string]string{"p.txt": words, "cert": c.Unsigned()})
				for _, f := range policyfile.Lint([]byte(policy), open) {
					t.Errorf("%s %s: %s", law, language, f)
				}
				surface := c.Surface("p.txt", "cert")
				s, err := policyfile.Surface("s.yaml", []byte(surface), open)
				if err != nil || s.Policy != "privacy" || s.HasVersion() {
					t.Errorf("%s %s: %+v, %v", law, language, s, err)
				}
				if err := fits(t, "policy", []byte(policy)); err != nil {
					t.Errorf("%s %s: %v", law, language, err)
				}
				if err := fits(t, "surface", []byte(surface)); err != nil {
					t.Errorf("%s %s: %v", law, language, err)
				}
				if all := policy + words + surface; strings.Contains(all, "{{") || !strings.Contains(words, "notes") {
					t.Errorf("%s %s: something is not filled in", law, language)
				}
			}
		}
	}
	for _, c := range []starter.Choice{{Law: "us", Language: "en"}, {Law: "eu", Language: "fr"}} {
		if c.Check() == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// What a schema calls required is refused without it, and what is taken fits the
// schema: by the largest policy that there is.
func TestWhatASchemaRequiresIsRequired(t *testing.T) {
	file, err := os.ReadFile("../../../cmd/consentledger/smartkey/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	open := func(string) ([]byte, error) { return []byte("text"), nil }
	if err := fits(t, "policy", file); err != nil {
		t.Errorf("the policy of SmartKey: %v", err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(file, &tree); err != nil {
		t.Fatal(err)
	}
	tried := 0
	without(tree, policydoc.Shape(), func(where string) {
		tried++
		b, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := policyfile.Parse("p", b, open); err == nil {
			t.Errorf("a policy without %s is taken", where)
		}
	})
	if tried < 40 {
		t.Errorf("only %d members were left out", tried)
	}

	c := starter.Choice{Law: "eu", Language: "en", App: "notes"}
	tree = nil
	if err := yaml.Unmarshal([]byte(c.Surface("p.txt", "cert")), &tree); err != nil {
		t.Fatal(err)
	}
	for _, m := range shape.Members(surfacedoc.Shape()) {
		if _, has := tree[m.Name]; m.Must && !has {
			t.Errorf("the surface to begin with has no %s", m.Name)
		}
	}
}

func TestAMemberThatIsNotKnownIsAnsweredWithTheNearestFirst(t *testing.T) {
	c := starter.Choice{Law: "eu", Language: "en", App: "notes"}
	policy, words := c.Policy("p.txt")
	open := beside(map[string]string{"p.txt": words, "cert": c.Unsigned()})
	for file, want := range map[string]string{
		strings.Replace(policy, "keep_months:", "keep_month:", 1):            `p.yaml:20:5: there is no "keep_month" here, but: keep_months, `,
		strings.Replace(policy, "retention:", "retension:", 1):               `there is no "retension" here, but: retention, `,
		strings.Replace(policy, "title:\n", "titel:\n", 1):                   `p.yaml:5:1: there is no "titel" here, but: title, `,
		strings.Replace(policy, "standing:", "colour:", 1):                   `there is no "colour" here, but: locale, hash, standing`,
		strings.Replace(policy, "  basis: consent", "  basis: agreement", 1): "basis",
		strings.Replace(policy, "file: \"p.txt\"", "file: \"q.txt\"", 1):     `"q.txt" cannot be read`,
	} {
		if _, _, err := policyfile.Parse("p.yaml", []byte(file), open); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	surface := c.Surface("p.txt", "cert")
	for file, want := range map[string]string{
		strings.Replace(surface, "initial: unticked", "intial: unticked", 1): `there is no "intial" here, but: initial, `,
		strings.Replace(surface, "initial: unticked", "initial: ticket", 1):  "controls[0].initial: ",
		strings.Replace(surface, "certificate:", "certifikate:", 1):          `there is no "certifikate" here, but: approver, `,
		strings.Replace(surface, "file: \"p.txt\"", "file: \"q.txt\"", 1):    `s.yaml:12:11: "q.txt" cannot be read`,
		strings.Replace(surface, "build: \"1.0\"", "build: 1.0", 1):          "is a number with a point",
		"":    `s.yaml:1:1: a surface is one YAML map`,
		"- a": "s.yaml:1:",
	} {
		if _, err := policyfile.Surface("s.yaml", []byte(file), open); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
