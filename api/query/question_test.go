package query

import (
	"bytes"
	"strings"
	"testing"

	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain/deadline"
)

// noon is a moment like any other.
const noon deadline.Instant = 1772452800000

// hides reports whether an error is a refusal that does not repeat what was
// sent. Short texts stand in any sentence.
func hides(t *testing.T, err error, sent []byte) {
	t.Helper()
	if !wire.IsRefusal(err) {
		t.Errorf("not a refusal: %v", err)
	}
	const mark = "138 SECRET" // a name of that form is not shown either
	if bytes.Contains(sent, []byte(mark)) && strings.Contains(err.Error(), mark) {
		t.Errorf("the refusal repeats what was sent: %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{"subject":"user-1","purpose":"a"}`, `{"subject":"138 SECRET","purpose":7}`, `{"138 SECRET":1}`, `{"subject":"a","subject":"138 SECRET"}`, `138 SECRET`, `[]`, `null`, ``,
		`{"subject":"device:x","purpose":"a","action":"export","valid_at":"2026-03-02T09:30:00Z","known_at":"138 SECRET","category":"faces","recipient":"acme","version":"sha256:00"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parse.Check(data)
		if err != nil {
			hides(t, err, data)
			return
		}
		if a := Unknown(r, noon); a.Allowed || a.Status != wire.Unknown {
			t.Errorf("%s is answered with %+v when nobody knows", data, a)
		}
		if _, _, _, err := parseQuestion(r, noon); err != nil {
			hides(t, err, data)
		}
	})
}

func FuzzState(f *testing.F) {
	for _, s := range []string{`{"subject":"user-1"}`, `{"subject":"138 SECRET","action":"138 SECRET"}`, `{"138 SECRET":1}`, `{"subject":["138 SECRET"]}`, `138 SECRET`, `{}`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parse.State(data)
		if err == nil {
			err = CheckState(r)
		}
		if err != nil {
			hides(t, err, data)
		}
	})
}

// A span that ends before it begins would hold nothing, whatever there is.
func TestAReplayDoesNotEndBeforeItBegins(t *testing.T) {
	r := wire.ReplayRequest{From: "2026-03-02T00:00:00Z", To: "2026-03-01T00:00:00Z"}
	if _, err := Selection(r); err == nil || !strings.Contains(err.Error(), "to: is before from") {
		t.Errorf("%v", err)
	}
	for _, to := range []string{"", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"} {
		if _, err := Selection(wire.ReplayRequest{From: "2026-03-02T00:00:00Z", To: to}); err != nil {
			t.Errorf("to %q: %v", to, err)
		}
	}
}
