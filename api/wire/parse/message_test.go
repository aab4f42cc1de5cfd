package parse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"
)

// binary is a withdrawal in binary mode, with other headers.
func binary(change ...string) map[string][]string {
	h := map[string][]string{"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/a"}, "ce-type": {"consent.withdrawn"}, "ce-subject": {"ann"}}
	for i := 0; i < len(change); i += 2 {
		h[change[i]] = append(h[change[i]][:0:0], change[i+1])
	}
	return h
}

var off = []byte(`{"purposes":["mail"]}`)

func TestATextIsWhatItSaysUnlessItIsAnEncodersWork(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{"a%20b", "a b"}, {"100%25", "100%"}, {"50%25%20off", "50% off"}, {"quote%22d", `quote"d`}, {"%E5%BC%A0%E4%B8%89", "张三"}, {"%C3%A9", "é"},
		{"a%2520b", "a%20b"}, {"x%2541", "x%41"}, {"%F0%9F%91%8D", "👍"},
		{"100%", "100%"}, {"x%41", "x%41"}, {"user%40example.com", "user%40example.com"}, {"%c3%a9", "%c3%a9"}, {"a%20b%41", "a%20b%41"},
		{"a b%20c", "a b%20c"}, {"é%20", "é%20"}, {"%FF", "%FF"}, {"%ED%A0%80", "%ED%A0%80"}, {"%0A", "%0A"}, {"%C2%85", "%C2%85"}, {"%7F", "%7F"},
		{"%", "%"}, {"%2", "%2"}, {"%zz", "%zz"}, {"a+b", "a+b"}, {`"a"`, `"a"`}, {"\xe9", "é"}, {"\xc3\xa9", "é"}, {"", ""},
	} {
		r, err := BinaryEvent("a", binary("ce-id", c.header+"."), off, "")
		if err != nil || r.ID != c.want+"." {
			t.Errorf("%q is read as %q, %v, want %q", c.header, r.ID, err, c.want)
		}
	}
}

func TestASourceIsOneURIInBothModes(t *testing.T) {
	for _, c := range []struct{ name, source, header, want string }{
		{"of .NET, with an escape of its own", "/shop/a%20b", "/shop/a%2520b", "/shop/a%20b"},
		{"of .NET, not ASCII", "/shop/张", "/shop/%E5%BC%A0", "/shop/%E5%BC%A0"},
		{"of .NET, with escapes of UTF-8", "/shop/%E5%BC%A0", "/shop/%25E5%25BC%25A0", "/shop/%E5%BC%A0"},
		{"of .NET, with an escaped per cent sign", "/shop/50%25", "/shop/50%2525", "/shop/50%25"},
		{"of .NET, with a lone per cent sign", "/shop/50%", "/shop/50%25", "/shop/50%25"},
		{"of .NET, with a quote", `/shop/"a"`, "/shop/%22a%22", "/shop/%22a%22"},
		{"of Go, with an escape of its own", "/shop/a%20b", "/shop/a%20b", "/shop/a%20b"},
		{"of Go, not ASCII", "/shop/张", "/shop/张", "/shop/%E5%BC%A0"},
		{"of JavaScript, in Latin 1", "/shop/é", "/shop/\xe9", "/shop/%C3%A9"},
		{"with a blank", "/shop a", "/shop a", "/shop%20a"},
		{"with a per cent sign before letters", "/shop/100%zz", "/shop/100%zz", "/shop/100%25zz"},
		{"a name", "mailto:x@example.com", "mailto:x@example.com", "mailto:x@example.com"},
	} {
		b, err := BinaryEvent("a", binary("ce-source", c.header), off, "")
		if err != nil || b.Source != c.want {
			t.Errorf("%s: in binary mode %q, %v, want %q", c.name, b.Source, err, c.want)
		}
		s, err := Event("a", withdrawal(`"/a"`, `"`+strings.ReplaceAll(c.source, `"`, `\"`)+`"`))
		if err != nil || s.Source != c.want {
			t.Errorf("%s: in structured mode %q, %v, want %q", c.name, s.Source, err, c.want)
		}
	}
}

func TestWhatASenderEscapesNothingMeansIsKept(t *testing.T) {
	for _, c := range []struct {
		id, source  string
		raw, former ledger.Name
	}{
		{"1", "/a", ledger.Name{}, ledger.Name{}},
		{"a%20b", "/a", ledger.Name{Source: "/a", ID: "a%20b"}, ledger.Name{}},
		{"x%41", "/a", ledger.Name{}, ledger.Name{Source: "/a", ID: "xA"}},
		{"1", "/a%2520b", ledger.Name{Source: "/a%2520b", ID: "1"}, ledger.Name{}},
		{"1", "/a%20b", ledger.Name{}, ledger.Name{Source: "/a b", ID: "1"}},
		{"100%", "/a", ledger.Name{}, ledger.Name{}},
	} {
		r, err := BinaryEvent("a", binary("ce-id", c.id, "ce-source", c.source), off, "")
		if err != nil || r.Raw != c.raw || r.Former != c.former {
			t.Errorf("%s of %s: raw %v, before %v, %v", c.id, c.source, r.Raw, r.Former, err)
		}
	}
	if r, err := Event("a", withdrawal(`"/a"`, `"/a b"`)); err != nil || r.Former != (ledger.Name{Source: "/a b", ID: "1"}) || r.Raw != (ledger.Name{}) {
		t.Errorf("structured: raw %v, before %v, %v", r.Raw, r.Former, err)
	}
}

// A person's id holds nothing that is ever escaped: whatever a header with an
// escape means, it is nobody's. If that changes, a subject in binary mode may be
// read in two ways that are both somebody's, and an opt-out has to stop both.
func TestNoSubjectHasTwoReadings(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			for _, form := range []string{"account:%c%c", "%c%c", "account:x%%%02X%%%02X", "account:x%%%02x%%%02x", "account%%3A%c%c", "device:%%25%02X%c", "account:%c%%%02X"} {
				oneReading(t, fmt.Sprintf(form, a, b))
			}
			oneReading(t, "account:"+string([]byte{byte(a), byte(b)}))
		}
	}
	for c := range 256 {
		must := mustEscape(string([]byte{byte(c)}), 0)
		if _, err := ident.ParsePersonKey("account:a" + string([]byte{byte(c)})); must && err == nil {
			t.Errorf("byte %q is escaped in headers, and may stand in a person's id", byte(c))
		}
	}
	for _, subject := range []string{"account:x%41", "account%3Aann", "a%20b", "100%", "user%40example.com", "%c3%a9", "张三"} {
		for _, kind := range []string{"consent.withdrawn", "consent.given"} {
			_, err := BinaryEvent("a", binary("ce-subject", subject, "ce-type", kind), off, "")
			if err == nil || !strings.Contains(err.Error(), "subject") {
				t.Errorf("%s of %s: %v", kind, subject, err)
			}
		}
	}
}

// readings are all that a sender of a header may have meant: the text as it is, in
// either encoding of its bytes, and with its escapes undone once or twice.
func readings(header string) []string {
	all := []string{header, rawText(header), plainText(rawText(header)), plainURI(rawText(header))}
	for text := header; len(all) < 6; {
		undone, ok := unescape(text)
		if !ok {
			break
		}
		all = append(all, undone)
		text = undone
	}
	return all
}

// oneReading wants a header to name no two persons, and an app to take it as the
// same one whether its senders escape or not.
func oneReading(t *testing.T, header string) {
	t.Helper()
	exact, err := ident.ParsePersonKey(attributeText("subject", header))
	raw, bad := ident.ParsePersonKey(rawText(header))
	if (err == nil) != (bad == nil) || exact != raw {
		t.Errorf("%q is %v of an app whose senders escape, and %v of another", header, exact, raw)
	}
	if err != nil {
		return
	}
	for _, text := range readings(header) {
		if other, err := ident.ParsePersonKey(text); err == nil && other != exact {
			t.Errorf("%q is taken for %v, and may be %v", header, exact, other)
		}
	}
}

func FuzzASubjectHasOneReading(f *testing.F) {
	for _, s := range []string{
		"account:41", "account%3A41", "account:%34%31", "a%20b", "100%", "user%40example.com", "%c3%a9", "\xe9", "é", "张三", "account:a%2525", "device:%7E", "~", "a+b", "account:account:1",
	} {
		f.Add(s)
	}
	f.Fuzz(oneReading)
}

func TestTheContentTypeTellsTheMode(t *testing.T) {
	for _, c := range []struct {
		name   string
		header map[string][]string
		mode   Mode
		ok     bool
	}{
		{"structured", map[string][]string{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}, Structured, true},
		{"structured, with ce- headers", binary("content-type", "application/cloudevents+json"), Structured, true},
		{"a batch, with ce- headers", binary("content-type", "application/cloudevents-batch+json"), Batch, true},
		{"binary", binary("CONTENT-TYPE", "application/json"), Binary, true},
		{"binary, of another JSON", binary("Content-Type", "application/vnd.shop+json;v=1"), Binary, true},
		{"binary, without a content type", binary(), Binary, true},
		{"binary, with an empty one", binary("Content-Type", ""), Binary, true},
		{"binary, in capitals", map[string][]string{"CE-ID": {"1"}}, Binary, true},
		{"nothing", map[string][]string{}, Plain, true},
		{"an attribute that somebody adds on the way", map[string][]string{"ce-traceparent": {"00"}, "content-type": {"application/json"}}, Plain, true},
		{"text", binary("content-type", "text/plain"), Binary, false},
		{"a form", map[string][]string{"content-type": {"application/x-www-form-urlencoded"}}, Plain, false},
		{"two content types", map[string][]string{"content-type": {"application/json", "text/plain"}}, Plain, false},
		{"another format of CloudEvents", binary("content-type", "application/cloudevents+avro"), 0, false},
		{"no content type at all", binary("content-type", ";"), Binary, false},
	} {
		if mode, err := ModeOf(c.header); mode != c.mode || (err == nil) != c.ok {
			t.Errorf("%s: %d, %v", c.name, mode, err)
		}
	}
}

func TestNothingThatStandsBesideAnOptOutInBinaryModeRefusesIt(t *testing.T) {
	want, err := BinaryEvent("a", binary(), off, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		header map[string][]string
		data   string
		unread string
	}{
		{"a time as C# prints it", binary("ce-time", "01/01/1970 00:00:00 +00:00"), "", "time"},
		{"a time twice", map[string][]string{"ce-time": {"2026-03-02T09:30:00Z", "2026-03-02T09:30:01Z"}}, "", "time"},
		{"a time in two spellings of its name", map[string][]string{"ce-time": {"2026-03-02T09:30:00Z"}, "Ce-Time": {"2026-03-02T09:30:01Z"}}, "", "time"},
		{"a sequence of letters", binary("ce-sequence", "x"), "", "sequence"},
		{"an extension whose name is none", binary("ce-my-app", "x"), "", "(a name)"},
		{"text in text", binary(), `"{\"purposes\":[\"mail\"]}"`, "data"},
		{"members as C# spells them", binary(), `{"Purposes":["mail"]}`, "data.Purposes"},
		{"an unknown version", binary("ce-specversion", "0.3"), "", "specversion"},
	} {
		for name, v := range binary() {
			if c.header[name] == nil {
				c.header[name] = v
			}
		}
		data := off
		if c.data != "" {
			data = []byte(c.data)
		}
		r, err := BinaryEvent("a", c.header, data, "")
		if err != nil || !optsOut(r) || r.Unread.Names != c.unread || bytes.Equal(r.Body, want.Body) {
			t.Errorf("%s: %+v, %q, %v", c.name, r.Command, r.Unread.Names, err)
		}
	}
	for _, c := range []struct {
		name   string
		header map[string][]string
		says   string
	}{
		{"no id", map[string][]string{"ce-id": {}}, "id is missing"}, {"two ids", map[string][]string{"ce-id": {"1", "2"}}, "ce-id stands twice"},
		{"two subjects", map[string][]string{"CE-Subject": {"bob"}}, "ce-subject stands twice"},
		{"a grant with an odd time", binary("ce-type", "consent.given", "ce-time", "x"), "time"},
		{"a grant with a header that is none", binary("ce-type", "consent.given", "ce-my-app", "x"), "no attribute"},
	} {
		for name, v := range binary() {
			if c.header[name] == nil {
				c.header[name] = v
			}
		}
		if _, err := BinaryEvent("a", c.header, off, ""); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}

func FuzzEscapes(f *testing.F) {
	for _, s := range []string{"a%20b", "100%", "%E5%BC%A0", "\xe9", "%25%25", "%2525", "%%20"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := plainText(escape(s, mustEscape)); strings.ToValidUTF8(s, "") == s && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c >= 0x7f && c < 0xa0 }) && got != s {
			t.Errorf("%q is escaped, and read as %q", s, got)
		}
		once := normalURI(s)
		if again := normalURI(once); again != once {
			t.Errorf("%q is the URI %q, and that %q", s, once, again)
		}
		plainURI(s)
	})
}
