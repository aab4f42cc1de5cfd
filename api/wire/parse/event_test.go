package parse

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"consentledger/api/wire"
	"consentledger/domain/deadline"
	"consentledger/domain/refusal"

	"github.com/go-json-experiment/json/jsontext"
)

// noon is a moment like any other.
const noon deadline.Instant = 1772452800000

// atNoon returns the kind's example, as an event of noon.
func (k kind) atNoon() []byte {
	subject := `"subject":"account:user-1",`
	if k.about == theApp {
		subject = ""
	}
	data := strings.NewReplacer("{now}", noon.String(), "{yesterday}", noon.Add(-deadline.Day).String(), "{in a year}", noon.Add(365*deadline.Day).String(),
		"{today}", "2026-03-02").Replace(k.example)
	return []byte(`{"specversion":"1.0","id":"1","source":"/smartkey/app","type":"` + k.name + `","time":"` + noon.String() + `",` + subject + `"sequence":"7","data":{` + data + `}}`)
}

func TestBothModesGiveOneBody(t *testing.T) {
	for _, k := range order {
		e := k.atNoon()
		if k.operator() {
			continue // no operator's event comes in binary mode
		}
		want, err := Event("smartkey", e)
		if err != nil || TypeOf(want) != k.name {
			t.Fatalf("%s: %v: the request is of type %q", k.name, err, TypeOf(want))
		}
		attrs, data, err := members(e)
		if err != nil {
			t.Fatal(err)
		}
		headers := map[string][]string{"ce-tenant": {"an attribute that is not read"}}
		for _, a := range attrs {
			headers["ce-"+a.name] = []string{a.text}
		}
		got, err := BinaryEvent("smartkey", headers, data, "")
		if err != nil || !bytes.Equal(got.Body, want.Body) {
			t.Errorf("%s: %v: %s, want %s", k.name, err, got.Body, want.Body)
		}
	}
}

func TestWhatIsWrongIsNamedAndNeverShown(t *testing.T) {
	event := func(change ...string) string {
		return strings.NewReplacer(change...).Replace(`{"specversion":"1.0","id":"1","source":"/a","type":"consent.given","subject":"user-1","time":"2026-03-02T09:30:00Z","data":{"act":"agree","purposes":["a"]}}`)
	}
	if _, err := Event("a", []byte(event())); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, event, says string }{
		{"no JSON", `Zhang San`, "the event"},
		{"two events", event() + `{}`, "nothing behind"},
		{"a duplicate name", event(`"id":"1"`, `"id":"1","id":"SECRET"`), "twice"},
		{"a duplicate name in data", event(`"act":"agree"`, `"act":"agree","act":"SECRET"`), "twice"},
		{"an unknown member", event(`"act"`, `"phone":"SECRET","act"`), "data.phone is no member"},
		{"an unknown member that is a value", event(`"act"`, `"13800138000 SECRET":1,"act"`), "data.(a name)"},
		{"a wrong kind", event(`"agree"`, `["SECRET"]`), "data.act must be a string"},
		{"a wrong purpose", event(`["a"]`, `["a","SECRET NAME"]`), "data.purposes[1]"},
		{"a phone as subject", event(`user-1`, `13800138000`), "subject"},
		{"no subject", event(`"subject":"user-1",`, ``), "subject is missing"},
		{"an old time", event(`2026-03-02T09:30:00Z`, `SECRET`), "time"},
		{"the ledger's own source", event(`"source":"/a"`, `"source":"ledger"`), "source is one that the ledger itself"},
		{"no data", event(`"data"`, `"dat"`), "must be a string"},
		{"a huge number", event(`"agree"`, `"agree","details":{"SECRET":9007199254740993}`), "data.details is a number"},
		{"a zero sequence", event(`"id"`, `"sequence":"0","id"`), "sequence"},
		{"an unknown type", event(`consent.given`, `SECRET`), "type must be one of"},
		{"an unknown actor", event(`"id"`, `"actor":"SECRET","id"`), "actor"},
		{"base64 and data", event(`"data"`, `"data_base64":"e30=","data"`), "data or data_base64"},
		{"base64 that is none", event(`"data":{"act":"agree","purposes":["a"]}`, `"data_base64":"SECRET"`), "data_base64 must be the Base64"},
		{"purposes that are none", event(`["a"]`, `[]`), "data.purposes: is empty"},
		{"no act and no control", event(`"act":"agree",`, ``), "data.act is missing"},
		{"a state of no control", event(`"agree"`, `"agree","initial":"SECRET"`), "data.initial"},
		{"a build that is a text", event(`"agree"`, `"agree","build":"SECRET NAME"`), "data.build"},
		{"a guardian with a phone", event(`"agree"`, `"agree","guardian":"13800138000"`), "data.guardian"},
		{"half a proof", event(`"agree"`, `"agree","proof":{"method":"SECRET"}`), "data.proof.document is missing"},
		{"a record that is none", event(`"agree"`, `"agree","confirms":["SECRET"]`), "data.confirms[0]"},
		{"no real date", event(`consent.given`, `age.recorded`, `"act":"agree","purposes":["a"]`, `"band":"adult","basis":"declared","birth_date":"1999-02-30"`), "data.birth_date"},
		{"another person's phone", event(`consent.given`, `subject.linked`, `"act":"agree","purposes":["a"]`, `"other":"13800138000","proof":"login"`), "data.other"},
		{"a member that a note has not", event(`consent.given`, `data.deleted`, `"act":"agree","purposes":["a"]`, `"system":"a","SECRET name":"b"`), "data.(a name) is no member"},
		{"a note's member that is no string", event(`consent.given`, `data.deleted`, `"act":"agree","purposes":["a"]`, `"system":["SECRET"]`), "data.system must be a string"},
		{"a version of zeros", event(`"agree"`, `"agree","version":"sha256:`+strings.Repeat("0", 64)+`"`), "data.version: a hash of zeros"},
		{"a notice of zeros", event(`"agree"`, `"agree","notice":"00000000-0000-0000-0000-000000000000"`), "data.notice"},
		{"details that are a list", event(`"agree"`, `"agree","details":["SECRET"]`), "data.details must be an object"},
	} {
		_, err := Event("a", []byte(c.event))
		r, ok := errors.AsType[refusal.Refusal](err)
		if !ok || r.Code != refusal.Malformed || !strings.Contains(r.Text, c.says) || strings.Contains(r.Text, "SECRET") || strings.Contains(r.Text, "138001") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestMayBeOptOut(t *testing.T) {
	for _, c := range []struct {
		data, hint string
		want       bool
	}{
		{"", "", true}, {`{"type":"consent.given"`, "", false}, {`{"type":"consent.withdrawn"`, "", true},
		{`{"a":1}`, "", true}, {`{"type":"consent.given","type":"consent.refused"}`, "", true},
		{"x", "permission.revoked", true}, {"x", "notice.presented", false}, {"x", "what", true}, {`{"type":7}`, "", true},
	} {
		if got := MayBeOptOut([]byte(c.data), c.hint); got != c.want {
			t.Errorf("%s %s: %v", c.data, c.hint, got)
		}
	}
}

// odd are texts that are nearly JSON objects, or are so in an unusual way.
var odd = []string{
	`{}`, ` { } `, `{"a":1,"a":2}`, `{"b":{"d":"x","c":[]},"a":[{"z":"1","y":"2"},true,false,null]}`, `{"a!":"1","a":"2","a ":"3","":"4"}`,
	`{"é":"1","e":"2"}`, `{"a":"\u0061"}`, `{"\u0061":"a"}`, "{\"a\":\"\xff\"}", "{\"a\":\"\t\"}", "{\"a\":\"\u2028\x7f é 中 😀\"}", `{"a":"<&>"}`,
	`{"a":0,"b":007}`, `{"a":-0}`, `{"a":-1}`, `{"a":1.0}`, `{"a":1e3}`, `{"a":123456789012345}`, `{"a":1234567890123456}`, `{"a":00}`, `{"a":0}`, `{"a":}`, `{"a":1 2}`,
	`{"a":truex}`, `{"a":tru}`, `{"a":nul`, `{"a":"x"`, `{"a":"x"}}`, `{"a":"x"},`, `{,"a":"x"}`, `{"a":"x",}`, `{"a":[,]}`, `{"a":[1,]}`, `{"a":[1 ,2 ] } `, `{"a" : "x"}`, `{"a"}`, `{a:1}`,
	"{\"a\":\"x\"}\x00", "\x00{}", "\ufeff{}", "{\"a\":1\x00}", `[]`, `"a"`, ``, ` `, `{"a":[[[[[[[[[[[["x"]]]]]]]]]]]]}`, `{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":"x"}}}}}}}}`,
	`{"purposes":[],"all":true}`, `{"purposes":["a","b"],"all":false,"details":{"z":1.5,"a":"\"}{"}}`, `{"purposes":null}`, `{"details":null}`, `{"details":[]}`, `{"all":"true"}`,
	`{"purposes":["a","a"],"purposes":["b"]}`, `{"act":"a","Act":"b"}`, `{"act":"a","extra":"b"}`, `{"proof":{"document":"a"}}`, `{"act":"` + strings.Repeat("x", 300) + `"}`,
}

func FuzzEvent(f *testing.F) {
	for _, k := range order {
		f.Add(k.atNoon())
	}
	for _, text := range odd {
		f.Add([]byte(`{"specversion":"1.0","id":"1","source":"a","type":"consent.given","subject":"a","data":` + text + `}`))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		MayBeOptOut(data, "")
		if r, err := OperatorEvent("smartkey", data); err == nil && (r.FromApp || r.Command == nil) {
			t.Fatalf("%+v", r)
		}
		r, err := Event("smartkey", data)
		if err != nil {
			if !wire.IsRefusal(err) {
				t.Fatal(err)
			}
			return
		}
		if !r.FromApp || r.Person.ID == "" || r.ID == "" || r.Source == "" || len(r.Body) == 0 || r.Command == nil {
			t.Fatalf("%+v", r)
		}
		if r.Unread.Names != "" {
			return // what was not understood is kept as it was sent
		}
		v := jsontext.Value(data).Clone()
		if err := v.Canonicalize(); err != nil {
			t.Fatal(err)
		}
		if again, err := Event("smartkey", v); err != nil || !bytes.Equal(again.Body, r.Body) {
			t.Fatalf("%v: %s, want %s", err, again.Body, r.Body)
		}
	})
}

func TestDataIsOneObject(t *testing.T) {
	deep := func(n int) string {
		return `{"act":"agree","purposes":["a"],"details":` + strings.Repeat(`{"a":`, n) + `"x"` + strings.Repeat("}", n) + "}"
	}
	for _, c := range []struct{ name, data, says string }{
		{"a list", `["a"]`, "data must be a JSON object"},
		{"text", `"{}"`, "data must be a JSON object"},
		{"nothing", ` `, "data is missing"},
		{"an object and more", `{"act":"agree"}{}`, "not valid JSON"},
		{"an object cut short", `{"act":"agree"`, "not valid JSON"},
		{"a bracket too many", `{"act":"agree"}]`, "not valid JSON"},
		{"a name twice", `{"details":{"a":"x","a":"y"}}`, "data.details: the same name stands twice"},
		{"bytes that are no UTF-8", "{\"act\":\"\xff\"}", "not valid JSON"},
		{"a number behind a quote that is quoted", `{"details":{"a":"\"","b":9007199254740993}}`, "data.details is a number"},
		{"digits in text", `{"act":"agree","purposes":["a"],"details":{"a":"\\","b":"9007199254740993 {[{["}}`, ""},
		{"62 levels in details", deep(62), ""},
		{"64 levels in details", deep(64), "nested deeper than 64 levels"},
	} {
		headers := map[string][]string{"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/a"}, "ce-type": {"consent.given"}, "ce-subject": {"user-1"}}
		_, err := BinaryEvent("a", headers, []byte(c.data), "")
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}

// A refusal calls a member of a question as its sender wrote it.
func TestAQuestionNamesItsMembersAsTheyAreWritten(t *testing.T) {
	for body, want := range map[string]string{
		`{"subject":{"id":"a"}}`:      "subject",
		`{"purpose":["a"]}`:           "purpose",
		`{"person":"a"}`:              "",
		`[]`:                          "the check",
		`{"subject":"a","subject":1}`: "",
	} {
		_, err := Check([]byte(body))
		r, is := errors.AsType[refusal.Refusal](err)
		if !is || r.Path != want || strings.Contains(r.Text, "the check.") {
			t.Errorf("%s: %v at %q, want %q", body, err, r.Path, want)
		}
	}
}
