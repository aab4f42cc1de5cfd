package verify

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"consentledger/projections/transparency/merkle"

	"github.com/go-json-experiment/json/jsontext"
)

// golden are records as the codec writes them, of every kind.
func golden(t testing.TB) [][]byte {
	t.Helper()
	text, err := os.ReadFile("../../../eventstore/codec/testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(text), []byte("\n"))
}

// TestGoldenRecords: whatever was ever written has the form of a record.
func TestGoldenRecords(t *testing.T) {
	for i, r := range golden(t) {
		l, err := parseLine(r)
		if err != nil {
			t.Errorf("golden line %d: %v: %s", i+1, err, r)
		}
		if !strings.Contains(string(r), `"type":"`+string(l.kind)+`"`) || !strings.Contains(string(r), `"stream":"`+string(l.stream)+`"`) {
			t.Errorf("golden line %d is read as %s of %s", i+1, l.kind, l.stream)
		}
	}
}

// FuzzForm: what is read as a record is RFC 8785 to another reader too.
func FuzzForm(f *testing.F) {
	f.Add(record(3))
	for _, r := range golden(f) {
		f.Add(r)
	}
	f.Add([]byte(`{"actor":"\u001f\"\\\n","at":-5,"data":{"":[true,false,null,{}],"a":"é","é":[]},"id":"","recorded":0,"recorded_by":"","stream":"","type":"","v":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := parseLine(text); err != nil {
			return
		}
		v := jsontext.Value(bytes.Clone(text))
		if err := v.Canonicalize(); err != nil || !bytes.Equal(v, text) {
			t.Errorf("%q is read, and another says it should be %q: %v", text, v, err)
		}
	})
}

// TestFormIsAsStrict: every record that is changed in a way that JSON forgives
// is refused, as is one that another reader would not read.
func TestFormIsAsStrict(t *testing.T) {
	good := string(record(3))
	for _, bad := range []string{
		" " + good, good + "\n", strings.Replace(good, ",", ", ", 1), strings.Replace(good, `"at":`, `"at":0`, 1),
		strings.Replace(good, `"v":1`, `"v":1.0`, 1), strings.Replace(good, `"v":1`, `"v":1e0`, 1), strings.Replace(good, `"at":`, `"at":-0,"x":`, 1),
		strings.Replace(good, "person", `p\u0065rson`, 1), strings.Replace(good, "person", `p\/rson`, 1), strings.Replace(good, "person", `p\u000Arson`, 1),
		strings.Replace(good, "person", `p\u000arson`, 1), strings.Replace(good, "person", "p\xffrson", 1), strings.Replace(good, "person", "p\nrson", 1),
		strings.Replace(good, `"actor":"person",`, `"actor":"person","actor":"person",`, 1), strings.Replace(good, `"kind":"explicit",`, `"kind":"explicit","kind":"explicit",`, 1),
		strings.Replace(good, `"at":1767225600003`, `"at":9007199254740992`, 1), good[:len(good)-1], "", "{}", "[]", "null",
		strings.Replace(good, `"data":{`, `"data":`+strings.Repeat("[", 100)+`{`, 1),
	} {
		if l, err := parseLine([]byte(bad)); err == nil {
			t.Errorf("%s is read as %s", bad, l.kind)
		}
	}
	if _, err := parseLine([]byte(good)); err != nil {
		t.Error(err)
	}
}

func FuzzMemory(f *testing.F) {
	m := Memory{Key: "k", Origin: "o", Note: []byte("n")}
	f.Add(m.Format())
	m.Remember(merkle.Checkpoint{Size: 4}, []byte("x\n\ny"))
	f.Add(m.Format())
	f.Fuzz(func(t *testing.T, text []byte) {
		if m, err := ParseMemory(text); err == nil && !bytes.Equal(m.Format(), text) {
			t.Errorf("%q is read and written as %q", text, m.Format())
		}
	})
}

// FuzzLog: no files of a log, however wrong, crash whoever verifies them, and
// none but the true ones are taken for authentic.
func FuzzLog(f *testing.F) {
	k := newKeeper(f)
	log := k.publish(f, someRecords(300))
	f.Add(log["tile/entries/000"], log["tile/entries/001.p/44"], log["tile/0/000"], log["tile/0/001.p/44"], log["tile/1/000.p/1"])
	f.Add([]byte{}, []byte{}, []byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, e0, e1, t0, t1, t2 []byte) {
		other := files{"checkpoint": log["checkpoint"], "tile/entries/000": e0, "tile/entries/001.p/44": e1, "tile/0/000": t0, "tile/0/001.p/44": t1, "tile/1/000.p/1": t2}
		r, err := (&Log{Source: other, Verifier: k.verifier, Origin: origin}).Verify(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		same := true
		for path := range log {
			same = same && bytes.Equal(log[path], other[path])
		}
		if same != (r.Verdict == "") {
			t.Errorf("same %v, verdict %q", same, r.Verdict)
		}
	})
}
