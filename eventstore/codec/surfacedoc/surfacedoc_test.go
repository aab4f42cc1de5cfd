package surfacedoc_test

import (
	"reflect"
	"strings"
	"testing"

	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/domain/surface"
	"consentledger/eventstore/codec/surfacedoc"

	"github.com/go-json-experiment/json/jsontext"
)

var popup = surface.Surface{
	Build: "5.2.1+1203", Signing: content.Hash{1}, Screen: "pop-up", Policy: "privacy", Version: content.Hash{2}, Approver: "officer",
	Locales: []surface.Locale{{Locale: "en", Text: content.Hash{3}, Screenshot: content.Hash{4}, Strings: []surface.String{{Key: "ok", Text: "Agree"}, {Key: "out", Text: "Do not agree"}}}},
	Controls: []surface.Control{
		{ID: "ok", Label: "ok", Act: "agree-popup", Purposes: []policy.PurposeID{"ads"}, Initial: surface.Button},
		{ID: "out", Label: "out", Initial: surface.Button, Refuses: true, Steps: 1},
	},
}

// The hash is under consents for ever.
func TestGolden(t *testing.T) {
	b, err := surfacedoc.Marshal(popup)
	const want = `{"approver":"officer","build":"5.2.1+1203","controls":[{"act":"agree-popup","id":"ok","initial":"button","label":"ok","purposes":["ads"]},{"id":"out","initial":"button","label":"out","refuses":true,"steps":1}],"locales":[{"locale":"en","screenshot":"sha256:0400000000000000000000000000000000000000000000000000000000000000","strings":{"ok":"Agree","out":"Do not agree"},"text":"sha256:0300000000000000000000000000000000000000000000000000000000000000"}],"policy":"privacy","schema":"surface/1","screen":"pop-up","signing":"sha256:0100000000000000000000000000000000000000000000000000000000000000","version":"sha256:0200000000000000000000000000000000000000000000000000000000000000"}`
	if err != nil || string(b) != want {
		t.Fatalf("wrote %s, %v", b, err)
	}
	got, err := surfacedoc.Unmarshal(b)
	if err != nil || !reflect.DeepEqual(got, popup) {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestASurfaceThatSaysThatNothingRefuses(t *testing.T) {
	s := popup
	s.Controls, s.NoRefusal = s.Controls[:1], true
	b, err := surfacedoc.Marshal(s)
	if err != nil || !strings.Contains(string(b), `"no_refusal":true`) {
		t.Fatalf("wrote %s, %v", b, err)
	}
	if got, err := surfacedoc.Unmarshal(b); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("read %+v, %v", got, err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	b, _ := surfacedoc.Marshal(popup)
	f.Add([]byte(b))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := surfacedoc.Unmarshal(b)
		if err != nil {
			return
		}
		again, err := surfacedoc.Marshal(s)
		if err != nil {
			return // text that no JSON can hold
		}
		if t2, err := surfacedoc.Unmarshal(again); err != nil || !reflect.DeepEqual(t2, s) {
			t.Errorf("%s is read as %+v, written as %s: %v", jsontext.Value(b), s, again, err)
		}
	})
}
