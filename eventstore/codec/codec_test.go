package codec

import (
	"bufio"
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/eventstore"

	"github.com/go-json-experiment/json/jsontext"
)

// stub makes commitments that a reader can recognise.
type stub struct{}

func (stub) Commit(_ eventstore.EventID, role string, plain []byte) (c [32]byte) {
	copy(c[:], role+"/"+string(plain))
	return c
}

var envelope = Envelope{
	ID:     eventstore.EventID{1, 2, 3},
	Stream: domain.StreamID{Noun: domain.SubjectNoun, App: "demo", ID: "00ff"},
	At:     1767225600000, Recorded: 1767225600001, Claimed: 1767225700000,
	Actor: "person", RecordedBy: "unauthenticated", OnBehalfOf: "guardian",
	Request: Request{ID: [16]byte{4}, Digest: [16]byte{5}, Source: [8]byte{6}, Sequence: 7},
}

// samples has one event of every kind.
var samples = []domain.Event{
	domain.AppRegistered{App: domain.App{Name: "demo", Handler: "Demo Ltd", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en", "zh-CN"}}},
	domain.PolicyPublished{Version: domain.Hash{1}, Document: domain.Document{Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai"}, Effective: 1767225600000, Material: []string{"MAT-1"}, Stale: []domain.PurposeID{"ads"}},
	domain.ConsentGiven{Policy: "privacy", Version: domain.Hash{1}, Locale: "en", Text: domain.Hash{2}, Act: "agree-popup", Kind: domain.GeneralConsent, Items: []domain.Item{{Purpose: "ads"}, {Purpose: "face", Short: domain.NeedsSeparate}}, Notice: domain.EventID{3}, Until: 1767225600000, Import: true},
	domain.ConsentRefused{Scope: domain.Scope{All: true}, Policy: "privacy", Version: domain.Hash{1}, Locale: "en", Act: "refuse"},
	domain.ConsentWithdrawn{Scope: domain.Scope{Purposes: []domain.PurposeID{"ads"}}},
	domain.PolicyAcknowledged{Policy: "privacy", Version: domain.Hash{1}, Locale: "en", Act: "confirm-next"},
	domain.NoticePresented{Policy: "privacy", Version: domain.Hash{1}, Locale: "en", Text: domain.Hash{2}, Kind: "general"},
	domain.PermissionGranted{Permission: "network"},
	domain.PermissionDenied{Permission: "network"},
	domain.PermissionRevoked{Permission: "network", Withdraws: []domain.PurposeID{"net"}},
	domain.RecordVoided{Records: []domain.EventID{{1}}, Reason: "wrong-build", Evidence: domain.Hash{9}, By: [2]string{"a", "b"}},
}

func encode(t *testing.T, e domain.Event) eventstore.Recorded {
	t.Helper()
	r, _, err := Encode(envelope, e, "00ff", stub{}, Plain{"binding", []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	return eventstore.Recorded{Record: r, Stream: "subject-demo-00ff", Revision: 1, Position: 1}
}

// The golden file is what lies on disks. Lines are added, never changed: a
// new sample writes its line with UPDATE=1, and the diff is the review.
func TestGolden(t *testing.T) {
	const name = "testdata/golden.jsonl"
	if os.Getenv("UPDATE") != "" {
		var b bytes.Buffer
		for _, e := range samples {
			b.Write(encode(t, e).Data)
			b.WriteByte('\n')
		}
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, eventstore.MaxData)
	seen := map[string]bool{}
	for _, e := range samples {
		if !lines.Scan() {
			t.Fatal("the golden file is short")
		}
		r := encode(t, e)
		seen[r.Type] = true
		if string(r.Data) != lines.Text() {
			t.Errorf("%s:\n got %s\nwant %s", r.Type, r.Data, lines.Text())
		}
		r.Data = bytes.Clone(lines.Bytes())
		got, err := Decode(r)
		if err != nil || !reflect.DeepEqual(got.Event, e) || !reflect.DeepEqual(got.Envelope, envelope) {
			t.Errorf("%s: read %+v, %v", r.Type, got, err)
		}
	}
	for _, name := range Types() {
		if !seen[name] {
			t.Errorf("shape %s has no golden line", name)
		}
	}
}

func TestLinesAreCanonical(t *testing.T) {
	for _, e := range samples {
		r := encode(t, e)
		v := jsontext.Value(bytes.Clone(r.Data))
		if err := v.Canonicalize(); err != nil || string(v) != string(r.Data) {
			t.Errorf("%s is not RFC 8785: %v\n got %s\nwant %s", r.Type, err, r.Data, v)
		}
	}
}

func TestPersonalPartsStayOutOfTheLine(t *testing.T) {
	e := domain.ConsentWithdrawn{Scope: domain.Scope{All: true}, Details: `{"ip":"203.0.113.9"}`}
	r, plains, err := Encode(envelope, e, "00ff", stub{})
	if err != nil || strings.Contains(string(r.Data), "203.0.113.9") {
		t.Errorf("wrote %s, %v", r.Data, err)
	}
	if len(plains) != 1 || plains[0].Role != "details" || string(plains[0].Text) != e.Details.Reveal() {
		t.Errorf("parts %v", plains)
	}
}

func TestDecodeNeverGuesses(t *testing.T) {
	good := encode(t, samples[4])
	for name, change := range map[string]func(*eventstore.Recorded){
		"an unknown type":      func(r *eventstore.Recorded) { r.Type = "x.v1"; r.Data = swap(r.Data, "consent.withdrawn.v1", "x.v1") },
		"an unknown member":    func(r *eventstore.Recorded) { r.Data = swap(r.Data, `"actor"`, `"about":1,"actor"`) },
		"a member given twice": func(r *eventstore.Recorded) { r.Data = swap(r.Data, `"actor"`, `"actor":"x","actor"`) },
		"another stream":       func(r *eventstore.Recorded) { r.Stream = "subject-demo-11" },
		"another id":           func(r *eventstore.Recorded) { r.ID[0]++ },
		"another version":      func(r *eventstore.Recorded) { r.Data = swap(r.Data, `"v":1`, `"v":2`) },
		"half a line":          func(r *eventstore.Recorded) { r.Data = r.Data[:len(r.Data)/2] },
	} {
		r := good
		change(&r)
		if e, err := Decode(r); err == nil || !strings.Contains(err.Error(), "record 1") {
			t.Errorf("%s: read %+v, %v", name, e, err)
		}
	}
}

func swap(b []byte, old, new string) []byte {
	return []byte(strings.Replace(string(b), old, new, 1))
}

func FuzzDecode(f *testing.F) {
	for _, e := range samples {
		r, _, err := Encode(envelope, e, "00ff", stub{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(r.Type, r.Data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		e, err := Decode(eventstore.Recorded{Record: eventstore.Record{ID: envelope.ID, Type: name, Data: data}, Stream: "subject-demo-00ff"})
		if (e.Event == nil) == (err == nil) {
			t.Errorf("got %v, %v", e.Event, err)
		}
	})
}
