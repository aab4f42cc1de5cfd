package schema

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strconv"
	"sync/atomic"
	"testing"

	"consentledger/api/query"
	"consentledger/api/smartkeytest"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain/deadline"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiled returns a schema as a validator of others' making reads it. It
// fetches nothing.
func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	text, ok := Of(name)
	if !ok {
		t.Fatalf("%s has no schema", name)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{})
	if err := c.AddResource(schemaURN+name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(schemaURN + name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

// aMoment is a moment like any other.
const aMoment deadline.Instant = 1772452800000

// valid asks a schema.
func valid(t *testing.T, s *jsonschema.Schema, v any) bool {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc) == nil
}

// with returns m with a member changed; nil takes it away.
func with(m map[string]any, name string, v any) map[string]any {
	m = maps.Clone(m)
	if m[name] = v; v == nil {
		delete(m, name)
	}
	return m
}

func TestEveryExampleFitsItsSchemaAndNoBrokenOneDoes(t *testing.T) {
	l := smartkeytest.Ledger(t)
	taken := func(e parse.Example, event map[string]any) bool { return isTaken(t, l, e, event) }
	anyEvent := compiled(t, "event")
	for _, e := range parse.Examples(aMoment) {
		s := compiled(t, e.Type)
		var event map[string]any
		if err := json.Unmarshal(e.Event, &event); err != nil {
			t.Fatal(err)
		}
		data := event["data"].(map[string]any)
		if !valid(t, s, event) || !valid(t, anyEvent, event) {
			t.Errorf("%s: the example does not fit", e.Type)
		}
		broken := map[string]map[string]any{
			"of another version": with(event, "specversion", "0.3"), "without an id": with(event, "id", nil), "without a source": with(event, "source", nil),
			"without data": with(event, "data", nil), "with a list as data": with(event, "data", []any{}), "with data twice": with(event, "data_base64", "e30="),
			"with a member that nobody knows": with(event, "data", with(data, "nobody_knows", "x")), "with a number for a subject": with(event, "subject", 7),
			"of another type": with(event, "type", "consent.forgotten"), "by nobody": with(event, "actor", "cat"),
		}
		if k, _ := parse.KindOf(e.Type); !k.NeedsData() {
			delete(broken, "without data")
		}
		for name := range data {
			broken["with a wrong "+name] = with(event, "data", with(data, name, 7.5))
		}
		inBase64 := with(event, "data", nil)
		text, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		inBase64["data_base64"] = base64.StdEncoding.EncodeToString(text)
		nulls := map[string]map[string]any{"with data in Base64": inBase64, "with data beside null": maps.Clone(event), "with data in Base64 beside null": maps.Clone(inBase64)}
		nulls["with data beside null"]["data_base64"], nulls["with data in Base64 beside null"]["data"] = nil, nil
		for what, event := range nulls {
			if !valid(t, s, event) || !valid(t, anyEvent, event) {
				t.Errorf("%s %s does not fit the schema", e.Type, what)
			}
			b, err := json.Marshal(event)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := parseExample(parse.Example{Type: e.Type, Operator: e.Operator, Event: b}); err != nil || r.Unread.Names != "" {
				t.Errorf("%s %s is not taken: %v, %s", e.Type, what, err, r.Unread.Names)
			}
		}
		for what, event := range broken {
			if valid(t, s, event) {
				t.Errorf("%s %s fits the schema", e.Type, what)
			}
			if taken(e, event) {
				t.Errorf("%s %s is taken", e.Type, what)
			}
		}
		// What a schema refuses must be refused, too.
		for name := range data {
			for _, v := range []any{nil, "", "x", true, []any{}, []any{"x"}, map[string]any{}} {
				changed := with(event, "data", with(data, name, v))
				if !valid(t, s, changed) && taken(e, changed) {
					t.Errorf("%s with %s %v is taken and does not fit the schema", e.Type, name, v)
				}
			}
		}
		for name := range event {
			for _, v := range []any{nil, "", "x", true, 7} {
				if changed := with(event, name, v); name != "type" && !valid(t, s, changed) && taken(e, changed) {
					t.Errorf("%s with %s %v is taken and does not fit the schema", e.Type, name, v)
				}
			}
		}
	}
}

// ids are of events that are no repetitions.
var ids atomic.Int64

// isTaken reports whether all of an event is taken, and not an opt-out alone. It
// asks the parser, and for what only the domain looks at, the ledger.
func isTaken(t *testing.T, l *ledger.Ledger, e parse.Example, event map[string]any) bool {
	t.Helper()
	b, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	e.Event = b
	r, err := parseExample(e)
	if err != nil || r.Unread.Names != "" {
		return false
	}
	r.ID = strconv.Itoa(int(ids.Add(1)))
	_, err = l.Execute(t.Context(), r)
	return err == nil
}

func TestRequestsAndAnswersFitTheirSchemas(t *testing.T) {
	l := smartkeytest.Ledger(t)
	answer, err := query.Check(t.Context(), l, "smartkey", wire.CheckRequest{Subject: "ann", Purpose: "personalisation"}, "test", l.Now())
	if err != nil {
		t.Fatal(err)
	}
	prompt, err := query.Prompt(t.Context(), l, "smartkey", wire.PromptRequest{Subject: "ann"}, l.Now())
	if err != nil {
		t.Fatal(err)
	}
	state, err := query.State(t.Context(), l, "smartkey", wire.StateRequest{Subject: "ann"}, l.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		v    any
		fits bool
	}{
		{"check", wire.CheckRequest{Subject: "ann", Purpose: "mail", Action: "use"}, true}, {"check", map[string]any{"subject": "ann"}, false},
		{"check", map[string]any{"subject": "ann", "purpose": "mail", "why": "x"}, false}, {"check", map[string]any{"subject": 7, "purpose": "mail"}, false},
		{"answer", answer, true}, {"answer", query.Unknown(wire.CheckRequest{Subject: "ann", Purpose: "mail"}, aMoment), true}, {"answer", map[string]any{"allowed": "no"}, false},
		{"prompt-request", wire.PromptRequest{Subject: "ann"}, true}, {"prompt-request", map[string]any{}, false}, {"prompt", prompt, true}, {"prompt", map[string]any{}, false},
		{"state-request", wire.StateRequest{Subject: "ann"}, true}, {"state", state, true}, {"state", map[string]any{"app": 7}, false},
		{"receipt", wire.Receipt{EventID: "x", Position: "1"}, true}, {"receipt", map[string]any{"position": "1"}, false},
		{"problem", wire.ProblemOf(refusal.Refusal{Code: refusal.TooLarge, Text: "too large"}), true}, {"problem", map[string]any{"status": "503"}, false},
	} {
		if got := valid(t, compiled(t, c.name), c.v); got != c.fits {
			t.Errorf("%s %+v fits: %v", c.name, c.v, got)
		}
	}
	for _, name := range Names() {
		compiled(t, name)
	}
	if _, has := Of("nothing"); has {
		t.Error("nothing has a schema")
	}
}

// One type has two names: whichever is sent, it is one event, and the record has
// the name that lies on disks.
func TestAnAliasIsTheSameType(t *testing.T) {
	event := func(kind string) []byte {
		return []byte(`{"specversion":"1.0","id":"1","source":"test","type":"` + kind + `","subject":"ann","data":{"reason":"load-test"}}`)
	}
	first, err := parse.Event("demo", event("subject.test"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := parse.Event("demo", event("subject.marked_test"))
	if err != nil || !bytes.Equal(first.Body, second.Body) || first.Command != second.Command || parse.TypeOf(second) != "subject.test" {
		t.Errorf("%s and %s, %v", first.Body, second.Body, err)
	}
	if s, err := query.Selection(wire.ReplayRequest{Type: "subject.marked_test"}); err != nil || len(s.Types) != 1 || s.Types[0] != "subject.test" {
		t.Errorf("asked for by its alias: %+v, %v", s, err)
	}
	for _, name := range []string{"event", "subject.test", "subject.marked_test"} {
		var doc map[string]any
		if err := json.Unmarshal(event("subject.marked_test"), &doc); err != nil || !valid(t, compiled(t, name), doc) {
			t.Errorf("the alias does not fit the schema %s, %v", name, err)
		}
	}
}

// parseExample reads an example from where its senders send it.
func parseExample(e parse.Example) (ledger.Request, error) {
	if e.Operator {
		return parse.OperatorEvent("smartkey", e.Event)
	}
	return parse.Event("smartkey", e.Event)
}
