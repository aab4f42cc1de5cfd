package asyncapi_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"consentledger/api/auth"
	"consentledger/api/internal/npm"
	"consentledger/api/rest"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"

	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

type document struct {
	AsyncAPI string
	Channels map[string]struct {
		Address  *string
		Messages map[string]any
	}
	Operations map[string]struct {
		Action  string
		Channel struct {
			Ref string `json:"$ref"`
		}
		Roles []string `json:"x-roles"`
	}
	Components struct{ Schemas, Messages map[string]any }
}

// read returns the document, as it is read and as any JSON.
func read(t *testing.T) (d document, any any) {
	t.Helper()
	text, err := rest.AsyncAPI("v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	if any, err = jsonschema.UnmarshalJSON(strings.NewReader(string(text))); err != nil {
		t.Fatal(err)
	}
	return d, any
}

// TestItIsAsTheConventionHasIt, by the schema of those who made it.
func TestItIsAsTheConventionHasIt(t *testing.T) {
	d, doc := read(t)
	if d.AsyncAPI != "3.0.0" {
		t.Fatalf("it is of version %q", d.AsyncAPI)
	}
	official := func() *jsonschema.Schema {
		f, err := os.Open(filepath.Join(npm.Modules(t), "@asyncapi/specs/schemas/3.0.0.json"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		schema, err := jsonschema.UnmarshalJSON(f)
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("https://asyncapi.test/3.0.0.json", schema); err != nil {
			t.Fatal(err)
		}
		s, err := c.Compile("https://asyncapi.test/3.0.0.json")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}()
	if err := official.Validate(doc); err != nil {
		t.Errorf("%#v", err)
	}
	doc.(map[string]any)["operations"].(map[string]any)["check"].(map[string]any)["action"] = "listen"
	if official.Validate(doc) == nil {
		t.Error("the schema takes an action that there is not")
	}
}

// TestWhatItRefersToIsThere: the schema of the convention does not look.
func TestWhatItRefersToIsThere(t *testing.T) {
	_, doc := read(t)
	refs := 0
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			for name, one := range v {
				if to, is := one.(string); is && name == "$ref" {
					refs++
					find(t, doc, to)
				}
				walk(one)
			}
		}
	}
	walk(doc)
	if refs < 300 {
		t.Errorf("it refers to %d things", refs)
	}
}

func find(t *testing.T, doc any, ref string) {
	t.Helper()
	at := doc
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		members, _ := at.(map[string]any)
		if at = members[part]; at == nil {
			t.Errorf("%s is not there", ref)
			return
		}
	}
}

// TestEverySubjectOfTheTableIsDescribed, with the roles that may use it, and no other is.
func TestEverySubjectOfTheTableIsDescribed(t *testing.T) {
	d, _ := read(t)
	var table, described []string
	for _, s := range auth.Subjects {
		switch {
		case strings.HasSuffix(s.Subject, "in.>"):
			table = append(table, "receive consent.v1.{app}.in.{type}")
		case s.Listens:
			for _, told := range slices.Concat(wire.ConsentTypes, wire.ObligationTypes) {
				table = append(table, "send consent.v1.{app}.out."+told)
			}
		case strings.HasSuffix(s.Subject, "group"):
			table = append(table, "receive "+strings.Replace(s.Subject, "{app}", "{group}", 1))
		default:
			table = append(table, "receive "+s.Subject)
		}
	}
	for name, o := range d.Operations {
		channel := d.Channels[strings.TrimPrefix(o.Channel.Ref, "#/channels/")]
		if channel.Address == nil || len(channel.Messages) == 0 || len(o.Roles) == 0 {
			t.Errorf("%s: %+v", name, o)
			continue
		}
		described = append(described, o.Action+" "+*channel.Address)
	}
	slices.Sort(table)
	slices.Sort(described)
	if !slices.Equal(table, described) {
		t.Errorf("described are\n%s\nthe table has\n%s", strings.Join(described, "\n"), strings.Join(table, "\n"))
	}
	for name := range d.Components.Messages {
		if !regexp.MustCompile(`^[\w.-]+$`).MatchString(name) {
			t.Errorf("message %q", name)
		}
	}
}

// TestWhatIsSentFitsItsSchema: what is told of a consent, and an event that is an example.
func TestWhatIsSentFitsItsSchema(t *testing.T) {
	_, doc := read(t)
	c := jsonschema.NewCompiler()
	if err := c.AddResource("https://asyncapi.test/doc.json", doc); err != nil {
		t.Fatal(err)
	}
	fits := func(message string, text []byte) error {
		s, err := c.Compile("https://asyncapi.test/doc.json#/components/messages/" + message + "/payload")
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		return s.Validate(v)
	}

	e := codec.Entry{Event: domain.ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}}, Position: 7}
	e.Stream = ident.SubjectStream("shop", "5d0cc3a1f6b3a5e7a0b9f63a4e35a8c1")
	told, err := json.Marshal(wire.ConsentChangeOf(e, ident.PersonKey{Kind: "account", ID: "ada"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := fits("told.consent.withdrawn", told); err != nil {
		t.Errorf("%s: %v", told, err)
	}
	if fits("told.consent.given", told) == nil {
		t.Error("a withdrawal is a consent")
	}
	for _, example := range parse.Examples(1767225600000) {
		if err := fits("event."+example.Type, example.Event); err != nil {
			t.Errorf("%s: %v", example.Type, err)
		}
	}
}
