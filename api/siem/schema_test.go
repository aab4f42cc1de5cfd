package siem

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// definitions are the classes of testdata/ocsf-1.8.0.txt, as JSON Schemas.
type definitions map[int]*jsonschema.Schema

// kinds are the JSON Schemas of OCSF's types.
var kinds = map[string]string{
	"string_t": "string", "username_t": "string", "hostname_t": "string", "ip_t": "string", "email_t": "string",
	"url_t": "string", "uuid_t": "string", "resource_uid_t": "string", "mac_t": "string",
	"integer_t": "integer", "long_t": "integer", "timestamp_t": "integer", "port_t": "integer", "boolean_t": "boolean",
}

// readDefinitions reads the table that says what OCSF's classes and objects are. An
// attribute that is not in it is refused.
func readDefinitions(t *testing.T) definitions {
	t.Helper()
	text, err := os.ReadFile("testdata/ocsf-" + SchemaVersion + ".txt")
	if err != nil {
		t.Fatal(err)
	}

	objects, classes := map[string]any{}, map[int]map[string]any{}
	var now map[string]any
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "class":
			now = newObject()
			uid, category := number(t, words[1]), number(t, words[2])
			names := strings.Split(line, " | ")
			fixed(now, "class_uid", uid)
			fixed(now, "class_name", names[1])
			fixed(now, "category_uid", category)
			fixed(now, "category_name", names[2])
			classes[uid] = now
		case words[0] == "object":
			now = newObject()
			objects[words[1]] = now
		case words[0] == "one-of":
			var one []any
			for _, name := range words[1:] {
				one = append(one, map[string]any{"required": []any{name}})
			}
			now["anyOf"] = one
		default:
			name, requirement, rest := words[0], words[1], words[2]
			if requirement == "required" {
				now["required"] = append(now["required"].([]any), name)
			}
			properties := now["properties"].(map[string]any)
			if _, is := properties[name]; !is {
				_, numbers, _ := strings.Cut(line, rest+" ")
				properties[name] = attribute(t, rest, numbers)
			}
		}
	}

	d := definitions{}
	for uid, class := range classes {
		class["$defs"] = objects
		c := jsonschema.NewCompiler()
		name := fmt.Sprintf("class-%d.json", uid)
		if err := c.AddResource(name, plain(t, class)); err != nil {
			t.Fatal(err)
		}
		if d[uid], err = c.Compile(name); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func newObject() map[string]any {
	return map[string]any{
		"type": "object", "additionalProperties": false, "required": []any{}, "properties": map[string]any{},
	}
}

func fixed(object map[string]any, name string, value any) {
	object["properties"].(map[string]any)[name] = map[string]any{"const": value}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// attribute returns the JSON Schema of an attribute of a type. Objects that the table does
// not have are of no event here.
func attribute(t *testing.T, kind, numbers string) any {
	t.Helper()
	if one, is := strings.CutSuffix(kind, "[]"); is {
		return map[string]any{"type": "array", "items": attribute(t, one, "")}
	}
	if object, is := strings.CutPrefix(kind, "object:"); is {
		if object == "any" {
			return map[string]any{"type": "object"}
		}
		return map[string]any{"$ref": "#/$defs/" + object}
	}
	if kind == "json_t" {
		return true
	}

	is := map[string]any{"type": kinds[kind]}
	if kinds[kind] == "" {
		t.Fatalf("the table has a type %s that is not known", kind)
	}
	if numbers != "" {
		var enum []any
		for one := range strings.SplitSeq(numbers, "; ") {
			n, _, _ := strings.Cut(one, "=")
			enum = append(enum, number(t, n))
		}
		is["enum"] = enum
	}
	return is
}

// plain returns what a schema is as JSON. An object that it refers to and that the table
// does not have is nothing that can be there.
func plain(t *testing.T, schema map[string]any) (v any) {
	t.Helper()
	b, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	defs := v.(map[string]any)["$defs"].(map[string]any)
	for part := range strings.SplitSeq(string(b), `"#/$defs/`) {
		if name, _, is := strings.Cut(part, `"`); is && defs[name] == nil && !strings.HasPrefix(part, "{") {
			defs[name] = false
		}
	}
	return v
}

// check returns what is wrong with an event.
func (d definitions) check(line []byte) error {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(line)))
	if err != nil {
		return err
	}
	var e struct {
		ClassUID     int    `json:"class_uid"`
		ClassName    string `json:"class_name"`
		ActivityID   int    `json:"activity_id"`
		ActivityName string `json:"activity_name"`
		TypeUID      int    `json:"type_uid"`
		TypeName     string `json:"type_name"`
		Metadata     struct{ Version string }
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}

	class, has := d[e.ClassUID]
	if !has {
		return fmt.Errorf("class %d is none of the table", e.ClassUID)
	}
	if err := class.Validate(v); err != nil {
		return err
	}
	if e.TypeUID != e.ClassUID*100+e.ActivityID || e.TypeName != e.ClassName+": "+e.ActivityName {
		return fmt.Errorf("type %d %q of class %d, activity %d", e.TypeUID, e.TypeName, e.ClassUID, e.ActivityID)
	}
	if e.Metadata.Version != SchemaVersion {
		return fmt.Errorf("it says that it is of version %q", e.Metadata.Version)
	}
	return nil
}

// captions returns the names that the table has for the numbers of an attribute of a class.
func captions(t *testing.T, class int, attribute string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/ocsf-" + SchemaVersion + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	_, of, _ := strings.Cut(string(text), fmt.Sprintf("class %d ", class))
	_, of, _ = strings.Cut(of, "\n  "+attribute+" ")
	of, _, _ = strings.Cut(of, "\n")

	names := map[string]string{}
	for one := range strings.SplitSeq(of, "; ") {
		head, name, _ := strings.Cut(one, "=")
		words := strings.Fields(head)
		names[words[len(words)-1]] = name
	}
	return names
}

// The names that stand beside numbers are those that the schema has for them.
func TestNumbersHaveTheNamesOfTheSchema(t *testing.T) {
	for _, c := range []class{accountChange, authentication, entityManagement, apiActivity} {
		names := captions(t, c.uid, "activity_id")
		for n, name := range c.activities {
			if names[strconv.Itoa(n)] != name {
				t.Errorf("%s: activity %d is %q, the schema says %q", c.name, n, name, names[strconv.Itoa(n)])
			}
		}
	}
	severities, states := captions(t, 6003, "severity_id"), captions(t, 6003, "status_id")
	if severities["1"] != "Informational" || severities["2"] != "Low" || states["1"] != "Success" || states["2"] != "Failure" {
		t.Errorf("%v, %v", severities, states)
	}
	protocols := captions(t, 3002, "auth_protocol_id")
	for way, auth := range auths {
		if auth.id != other && protocols[strconv.Itoa(auth.id)] != auth.name {
			t.Errorf("%s: protocol %d is %q, the schema says %q", way, auth.id, auth.name, protocols[strconv.Itoa(auth.id)])
		}
	}
}

// What is wrong with an event is found.
func TestTheSchemaRefusesWhatIsNoEvent(t *testing.T) {
	d := readDefinitions(t)
	s := Source{Version: "test"}
	good := func() *event {
		e := s.of(apiActivity, reads, 1)
		e.asks("export")
		e.Actor = actorOf("p-1")
		e.Metadata.UID = "1"
		return e
	}
	line, err := good().append(nil, Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.check(line); err != nil {
		t.Fatalf("%v: %s", err, line)
	}

	for what, spoil := range map[string]func(*event){
		"no actor":                  func(e *event) { e.Actor = nil },
		"no operation":              func(e *event) { e.API = nil },
		"no source":                 func(e *event) { e.SrcEndpoint = nil },
		"another class's attribute": func(e *event) { e.User = &user{"p-1"} },
		"no such activity":          func(e *event) { e.ActivityID, e.TypeUID = 17, 600317 },
		"no such severity":          func(e *event) { e.SeverityID = 9 },
		"another category":          func(e *event) { e.CategoryUID = 3 },
		"a type of another":         func(e *event) { e.TypeUID = 300401 },
		"another version":           func(e *event) { e.Metadata.Version = "1.0.0" },
	} {
		e := good()
		spoil(e)
		if line, err = e.append(nil, Cursor{}); err != nil {
			t.Fatal(err)
		}
		if d.check(line) == nil {
			t.Errorf("%s: taken: %s", what, line)
		}
	}
	for what, spoilt := range map[string]string{
		"an attribute of nobody's": strings.Replace(string(line), `"metadata":{`, `"metadata":{"mood":"well",`, 1),
		"a number as a text":       strings.Replace(string(line), `"time":1`, `"time":"1"`, 1),
		"an object of nowhere":     strings.Replace(string(line), `"metadata":{`, `"http_request":{},"metadata":{`, 1),
	} {
		if d.check([]byte(spoilt)) == nil {
			t.Errorf("%s: taken: %s", what, spoilt)
		}
	}
	if err := d.check([]byte(`{"class_uid":1001}`)); err == nil {
		t.Error("a class that is not in the table is taken")
	}
}
