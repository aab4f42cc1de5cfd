package codec

import (
	"strconv"

	"consentledger/eventstore/codec/jsonwrite"

	"github.com/go-json-experiment/json"
)

// An appender is a shape that is written by hand, as every line is: what
// persons say every day. A test holds them to what reflection writes.
type appender interface{ appendTo(t *jsonwrite.Text) }

func (l *line) marshal() ([]byte, error) {
	t := jsonwrite.Text{B: append(make([]byte, 0, 1024), '{')}
	t.Text("actor", l.Actor)
	t.Int("at", l.At)
	t.Intz("claimed", l.Claimed)
	t.Name("data")
	appendShape(&t, l.Data)
	t.Text("id", l.ID)
	t.Textz("on_behalf_of", l.OnBehalfOf)
	if len(l.Parts) > 0 {
		jsonwrite.Objects(&t, "parts", l.Parts, func(t *jsonwrite.Text, p *partV1) {
			t.Text("commitment", p.Commitment)
			t.Text("ref", p.Ref)
			t.Text("role", p.Role)
		})
	}
	t.Int("recorded", l.Recorded)
	t.Text("recorded_by", l.RecordedBy)
	if r := l.Request; r != nil {
		t.Name("request")
		t.B = append(t.B, '{')
		t.Text("digest", r.Digest)
		t.Text("id", r.ID)
		if r.Sequence != 0 {
			t.Name("sequence")
			t.B = strconv.AppendUint(t.B, r.Sequence, 10)
		}
		t.Text("source", r.Source)
		t.B = append(t.B, '}')
	}
	t.Text("stream", l.Stream)
	t.Text("type", l.Type)
	t.Int("v", int64(l.V))
	return append(t.B, '}'), t.Err
}

func appendShape(t *jsonwrite.Text, shape any) {
	if a, ok := shape.(appender); ok {
		t.B = append(t.B, '{')
		a.appendTo(t)
		t.B = append(t.B, '}')
		return
	}
	b, err := json.Marshal(shape, json.Deterministic(true))
	if err != nil {
		t.Err = err
	}
	t.B = append(t.B, b...)
}

func (s *consentGivenV2) appendTo(t *jsonwrite.Text) {
	t.Text("act", s.Act)
	t.Textz("build", s.Build)
	jsonwrite.Listz(t, "confirms", s.Confirms)
	t.Textz("control", s.Control)
	if len(s.Ends) > 0 {
		jsonwrite.Objects(t, "ends", s.Ends, func(t *jsonwrite.Text, e *endV1) {
			t.Text("purpose", e.Purpose)
			t.Int("until", e.Until)
		})
	}
	if e := s.Evidence; e != nil {
		t.Name("evidence")
		t.B = append(t.B, '{')
		jsonwrite.Listz(t, "missing", e.Missing)
		t.Text("quality", e.Quality)
		t.B = append(t.B, '}')
	}
	t.Textz("guardian", s.Guardian)
	t.Flagz("import", s.Import)
	t.Textz("initial", s.Initial)
	jsonwrite.Objects(t, "items", s.Items, func(t *jsonwrite.Text, i *itemV1) {
		t.Text("purpose", i.Purpose)
		t.Textz("short", i.Short)
	})
	t.Text("kind", s.Kind)
	t.Textz("locale", s.Locale)
	t.Textz("notice", s.Notice)
	t.Flagz("once", s.Once)
	t.Text("policy", s.Policy)
	if p := s.Proof; p != nil {
		t.Name("proof")
		t.B = append(t.B, '{')
		t.Text("checked_by", p.CheckedBy)
		t.Text("document", p.Document)
		t.Text("method", p.Method)
		t.B = append(t.B, '}')
	}
	t.Textz("signer", s.Signer)
	t.Textz("surface", s.Surface)
	t.Textz("text", s.Text)
	t.Intz("until", s.Until)
	t.Text("version", s.Version)
}

func (s *consentRefusedV2) appendTo(t *jsonwrite.Text) {
	t.Textz("act", s.Act)
	jsonwrite.Listz(t, "added", s.Added)
	t.Flagz("all", s.All)
	t.Textz("build", s.Build)
	t.Textz("control", s.Control)
	t.Textz("guardian", s.Guardian)
	t.Textz("initial", s.Initial)
	t.Textz("locale", s.Locale)
	t.Textz("notice", s.Notice)
	t.Textz("policy", s.Policy)
	jsonwrite.Listz(t, "purposes", s.Purposes)
	t.Textz("surface", s.Surface)
	t.Textz("unknown", s.Unknown)
	t.Textz("version", s.Version)
}

func (s *consentWithdrawnV2) appendTo(t *jsonwrite.Text) {
	t.Flagz("all", s.All)
	t.Textz("build", s.Build)
	t.Textz("guardian", s.Guardian)
	jsonwrite.Listz(t, "purposes", s.Purposes)
	t.Textz("unknown", s.Unknown)
}

func (s *permissionRevokedV1) appendTo(t *jsonwrite.Text) {
	t.Text("permission", s.Permission)
	jsonwrite.Listz(t, "withdraws", s.Withdraws)
}
