package wire

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"consentledger/domain"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// samePlain compares what is read of plain JSON with what the general road says
// of the same text, and reports whether it was plain: as data and as an event.
func samePlain(t *testing.T, text []byte) (data, event bool) {
	t.Helper()
	s := scanner{json: text}
	b, data := s.object([]byte("before"), plainDepth)
	if data = data && s.peek() == 0 && s.at == len(text); data {
		if want, err := canonicalData(text); err != nil || string(b) != "before"+string(want) {
			t.Errorf("%q\nis taken as plain: %s\nand should be %s, %v", text, b, want, err)
		}
	}
	attrs, begun, event := plainMembers(nil, text)
	if event {
		wantAttrs, wantData, err := members(text)
		if err != nil || !slices.Equal(attrs, wantAttrs) {
			t.Errorf("%q\nhas %v\nand should have %v, %v", text, attrs, wantAttrs, err)
		}
		if want, err := canonicalData(wantData); err != nil || string(begun) != beforeData+string(want) {
			t.Errorf("%q\nbegins %s\nand should begin with %s, %v", text, begun, want, err)
		}
	}
	return data, event
}

// sameForm compares what a form reads of valid data with what package json does,
// and reports whether it read them.
func sameForm[S any](t *testing.T, data []byte) bool {
	t.Helper()
	var got, want S
	if !formOf[S](nil).plain(&got, data) {
		return false
	}
	if err := json.Unmarshal(data, &want, json.RejectUnknownMembers(true)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nis read as %+v\nand should be %+v, %v", data, got, want, err)
	}
	return true
}

// sameForms does so for all shapes, and returns how many read the data.
func sameForms(t *testing.T, data []byte) (n int) {
	t.Helper()
	if !jsontext.Value(data).IsValid() {
		return 0
	}
	for _, same := range []func(*testing.T, []byte) bool{
		sameForm[ConsentGiven], sameForm[ConsentRefused], sameForm[ConsentWithdrawn], sameForm[ConsentRequested], sameForm[ConsentUsed],
		sameForm[PolicyAcknowledged], sameForm[NoticePresented], sameForm[PermissionChanged],
		sameForm[RecordVoided], sameForm[RecordDisputed], sameForm[BuildVoided], sameForm[BuildDisputed],
		sameForm[AgeRecorded], sameForm[GuardianVerified], sameForm[GuardianEnded], sameForm[SubjectLinked], sameForm[SubjectUnlinked],
		sameForm[ExemptionInvoked], sameForm[ExemptionEnded], sameForm[HoldPlaced], sameForm[SignerRegistered], sameForm[PolicyEffective],
		sameForm[RequestReceived], sameForm[ObligationMet], sameForm[ObligationVoided],
	} {
		if same(t, data) {
			n++
		}
	}
	return n
}

// odd are texts that are nearly plain, or are so in an unusual way.
var odd = []string{
	`{}`, ` { } `, `{"a":1,"a":2}`, `{"b":{"d":"x","c":[]},"a":[{"z":"1","y":"2"},true,false,null]}`, `{"a!":"1","a":"2","a ":"3","":"4"}`,
	`{"é":"1","e":"2"}`, `{"a":"\u0061"}`, `{"\u0061":"a"}`, "{\"a\":\"\xff\"}", "{\"a\":\"\t\"}", "{\"a\":\"\u2028\x7f é 中 😀\"}", `{"a":"<&>"}`,
	`{"a":0,"b":007}`, `{"a":-0}`, `{"a":-1}`, `{"a":1.0}`, `{"a":1e3}`, `{"a":123456789012345}`, `{"a":1234567890123456}`, `{"a":00}`, `{"a":0}`, `{"a":}`, `{"a":1 2}`,
	`{"a":truex}`, `{"a":tru}`, `{"a":nul`, `{"a":"x"`, `{"a":"x"}}`, `{"a":"x"},`, `{,"a":"x"}`, `{"a":"x",}`, `{"a":[,]}`, `{"a":[1,]}`, `{"a":[1 ,2 ] } `, `{"a" : "x"}`, `{"a"}`, `{a:1}`,
	"{\"a\":\"x\"}\x00", "\x00{}", "\ufeff{}", "{\"a\":1\x00}", `[]`, `"a"`, ``, ` `, `{"a":[[[[[[[[[[[["x"]]]]]]]]]]]]}`, `{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":"x"}}}}}}}}`,
	`{"purposes":[],"all":true}`, `{"purposes":["a","b"],"all":false,"details":{"z":1.5,"a":"\"}{"}}`, `{"purposes":null}`, `{"details":null}`, `{"details":[]}`, `{"all":"true"}`,
	`{"purposes":["a","a"],"purposes":["b"]}`, `{"act":"a","Act":"b"}`, `{"act":"a","extra":"b"}`, `{"proof":{"document":"a"}}`, `{"act":"` + strings.Repeat("x", 300) + `"}`,
}

func TestPlainIsAsTheGeneralRoadSays(t *testing.T) {
	for _, text := range odd {
		samePlain(t, []byte(text))
		sameForms(t, []byte(text))
		samePlain(t, []byte(`{"data":`+text+`}`))
		samePlain(t, []byte(`{"specversion":"1.0","id":"1","data":`+text+`,"subject":"a"}`))
		samePlain(t, []byte(`{"id":`+text+`,"data":{}}`))
	}
	for _, rest := range []string{``, `,"id":"2"`, `,"data":{}`, `,"tenant":"x"`, `,"time":null`, `,"sequence":7`, `,"data_base64":"x"`, `,"ID":"x"`, `,`, `}`} {
		samePlain(t, []byte(`{"id":"1","data":{"b":"1","a":"2"}`+rest+`}`))
	}
}

// What is sent all day goes the quick road: else it would be slow, and right.
func TestADaysEventsArePlain(t *testing.T) {
	for _, personal := range []bool{false, true} {
		for i, e := range dailyEvents(personal) {
			if _, plain := samePlain(t, e); !plain {
				t.Errorf("the general road is taken by %s", e)
			}
			data := daily[i].plain
			if personal {
				data = daily[i].personal
			}
			if plain, _ := samePlain(t, []byte(data)); !plain || sameForms(t, []byte(data)) == 0 {
				t.Errorf("the general road is taken by %s", data)
			}
		}
	}
}

// drawn draws a text that is JSON, or nearly so.
func drawn(b []byte, depth int) []byte {
	space := func() {
		if rand.N(20) == 0 {
			b = append(b, " \n\t\r\x00"[rand.N(5)])
		}
	}
	name := func() {
		names := []string{"a", "b", "ab", "a!", "a b", "act", "purposes", "details", "all", "é", "", `\u0061`, "中", "<", "\x7f", "\x1f", "\xff", `\\`, `"`}
		b = append(append(append(b, '"'), names[min(rand.N(len(names)), rand.N(len(names)))]...), '"')
	}
	space()
	defer space()
	switch kind := rand.N(8); {
	case depth > 0 && kind < 4:
		b = append(b, '{')
		for i := range rand.N(5) {
			if i > 0 {
				b = append(b, ',')
			}
			name()
			space()
			b = drawn(append(b, ':'), depth-1)
		}
		b = append(b, '}')
	case depth > 0 && kind == 4:
		b = append(b, '[')
		for i := range rand.N(4) {
			if i > 0 {
				b = append(b, ',')
			}
			b = drawn(b, depth-1)
		}
		b = append(b, ']')
	case kind == 5:
		words := []string{"true", "false", "null", "0", "12", "-1", "1.5", "1e2", "01", "-0", "999999999999999", "9999999999999999"}
		b = append(b, words[rand.N(len(words))]...)
	default:
		name()
	}
	return b
}

func TestDrawnTextsAreReadAsTheGeneralRoadSays(t *testing.T) {
	plain, forms := 0, 0
	for range 10_000 {
		text := drawn(nil, 1+rand.N(10))
		if data, _ := samePlain(t, text); data {
			plain++
		}
		forms += sameForms(t, text)
		samePlain(t, slices.Concat([]byte(`{"id":"1","data":`), text, []byte(`,"source":"a"}`)))
		if t.Failed() {
			return
		}
	}
	if plain < 1_000 || forms < 100 {
		t.Errorf("only %d texts were plain, and %d fitted a form", plain, forms)
	}
}

func TestManyMembersAreSorted(t *testing.T) {
	for _, n := range []int{1, 2, 16, 17, 5000} {
		text := []byte("{")
		for i := range n {
			text = fmt.Appendf(text, `"%d":{"b":1,"a":[%d]},`, n-i, i)
		}
		text = append(bytes.TrimSuffix(text, []byte(",")), '}')
		if plain, _ := samePlain(t, text); !plain {
			t.Errorf("%d members are not plain", n)
		}
	}
}

func TestNoKindThatIsSentIsTheLedgersOwn(t *testing.T) {
	for _, rule := range domain.NoteRules {
		if _, sent := kinds[string(rule.Kind)]; sent == rule.Own {
			t.Errorf("%s is sent: %v", rule.Kind, sent)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, text := range odd {
		f.Add([]byte(text))
		f.Add([]byte(`{"id":"1","data":` + text + `,"subject":"a"}`))
	}
	for _, k := range order {
		f.Add([]byte("{" + k.example + "}"))
		f.Add([]byte(`{"specversion":"1.0","id":"1","source":"a","type":"` + k.name + `","subject":"a","data":{` + k.example + `}}`))
	}
	for _, e := range dailyEvents(true) {
		f.Add(e)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		samePlain(t, text)
		sameForms(t, text)
	})
}
