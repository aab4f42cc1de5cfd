package codec

import (
	"bytes"
	"strconv"
	"sync"

	"consentledger/eventstore/codec/jsonwrite"

	"github.com/go-json-experiment/json"
)

// An appender is a shape that is written by hand, as every line is: what
// persons say every day. A test holds them to what reflection writes.
type appender interface{ appendTo(t *jsonwrite.Text) }

// scratch holds what lines are written into, before it is known how long they are.
var scratch = sync.Pool{New: func() any { return new(jsonwrite.Text) }}

func (l *line) marshal() ([]byte, error) {
	t := scratch.Get().(*jsonwrite.Text)
	defer scratch.Put(t)
	t.B, t.Err = append(t.B[:0], '{'), nil
	l.appendTo(t)
	return bytes.Clone(t.B), t.Err
}

func (l *line) appendTo(t *jsonwrite.Text) {
	t.Text("actor", l.Actor)
	t.Int("at", l.At)
	t.Intz("claimed", l.Claimed)
	t.Name("data")
	appendShape(t, l.Data)
	t.Text("id", l.ID)
	t.Textz("not_understood", l.Unread)
	t.Textz("on_behalf_of", l.OnBehalfOf)
	if len(l.Owing) > 0 {
		jsonwrite.Objects(t, "owing", l.Owing, func(t *jsonwrite.Text, w *owingV1) { w.appendTo(t) })
	}

	if len(l.Parts) > 0 {
		jsonwrite.Objects(t, "parts", l.Parts, func(t *jsonwrite.Text, p *partV1) {
			t.Text("commitment", p.Commitment)
			t.Text("ref", p.Ref)
			t.Text("role", p.Role)
		})
	}

	t.Int("recorded", l.Recorded)
	t.Text("recorded_by", l.RecordedBy)
	if r := l.Request; r != nil {
		t.Object("request", func(t *jsonwrite.Text) {
			t.Text("digest", r.Digest)
			t.Text("id", r.ID)
			if r.Sequence != 0 {
				t.Name("sequence")
				t.B = strconv.AppendUint(t.B, r.Sequence, 10)
			}
			t.Text("source", r.Source)
		})
	}

	t.Intz("rules", int64(l.Rules))
	t.Text("stream", l.Stream)
	t.Text("type", l.Type)
	t.Int("v", int64(l.V))
	t.B = append(t.B, '}')
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
		t.Object("evidence", func(t *jsonwrite.Text) {
			jsonwrite.Listz(t, "missing", e.Missing)
			t.Text("quality", e.Quality)
		})
	}

	t.Textz("filtered_by", s.Filtered)
	t.Textz("guardian", s.Guardian)
	if len(s.Hindered) > 0 {
		jsonwrite.Objects(t, "hindered", s.Hindered, func(t *jsonwrite.Text, h *hinderedV1) {
			t.Text("purpose", h.Purpose)
			t.Text("why", h.Why)
		})
	}

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
		t.Object("proof", func(t *jsonwrite.Text) {
			t.Text("checked_by", p.CheckedBy)
			t.Text("document", p.Document)
			t.Text("method", p.Method)
		})
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
	appendRests(t, s.Rests)
	t.Flagz("signal", s.Signal)
	t.Textz("surface", s.Surface)
	t.Textz("unknown", s.Unknown)
	t.Textz("version", s.Version)
}

func appendRests(t *jsonwrite.Text, rests []restV1) {
	if len(rests) == 0 {
		return
	}
	jsonwrite.Objects(t, "rests", rests, func(t *jsonwrite.Text, x *restV1) {
		t.Text("basis", x.Basis)
		t.Text("purpose", x.Purpose)
	})
}

func (s *consentWithdrawnV2) appendTo(t *jsonwrite.Text) {
	t.Textz("act", s.Act)
	t.Flagz("all", s.All)
	t.Textz("build", s.Build)
	t.Textz("guardian", s.Guardian)
	jsonwrite.Listz(t, "purposes", s.Purposes)
	appendRests(t, s.Rests)
	t.Flagz("signal", s.Signal)
	t.Textz("unknown", s.Unknown)
}

func (s *permissionRevokedV1) appendTo(t *jsonwrite.Text) {
	t.Text("permission", s.Permission)
	appendRests(t, s.Rests)
	jsonwrite.Listz(t, "withdraws", s.Withdraws)
}

func (s *policyAcknowledgedV1) appendTo(t *jsonwrite.Text) {
	t.Textz("act", s.Act)
	t.Textz("locale", s.Locale)
	t.Text("policy", s.Policy)
	t.Text("version", s.Version)
}

func (s *permissionGrantedV1) appendTo(t *jsonwrite.Text) { t.Text("permission", s.Permission) }

func (s *obligationOpenedV1) appendTo(t *jsonwrite.Text) {
	t.Object("cause", s.Cause.appendTo)
	t.Object("due", s.Due.appendTo)
	t.Text("id", s.ID)
	jsonwrite.Listz(t, "keeps", s.Keeps)
	t.Text("kind", s.Kind)
	jsonwrite.Listz(t, "met_by", s.MetBy)
	t.Object("rule", s.Rule.appendTo)
	t.Textz("rule_set", s.RuleSet)
	t.Textz("target", s.Target)
	jsonwrite.Listz(t, "types", s.Types)
	t.Textz("version", s.Version)
}

func (s *causeV1) appendTo(t *jsonwrite.Text) {
	t.Textz("event", s.Event)
	t.Textz("kind", s.Kind)
	t.Textz("stream", s.Stream)
	t.Textz("subject", s.Subject)
}

func (s *dueV1) appendTo(t *jsonwrite.Text) {
	t.Textz("before_roll", s.BeforeRoll)
	t.Textz("calendar", s.Calendar)
	t.Textz("counted_to", s.CountedTo)
	t.Textz("date", s.Date)
	t.Textz("day_zero", s.DayZero)
	t.Textz("earliest", s.Earliest)
	t.Intz("elapsed", s.Elapsed)
	t.Flagz("extended", s.Extended)
	t.Textz("gap", s.Gap)
	t.Intz("ignored", int64(s.Ignored))
	t.Flagz("provisional", s.Provisional)
	t.Intz("remaining", s.Remaining)
	t.Flagz("reported", s.Reported)
	t.Text("rule", s.Rule)
	t.Textz("safe_notice", s.SafeNotice)
	t.Textz("safe_target", s.SafeTarget)
	t.Intz("start", s.Start)
	t.Text("state", s.State)
	t.Flagz("tail_exposed", s.TailExposed)
	t.Text("time_zone", s.TimeZone)
	t.Text("unit", s.Unit)
	t.Intz("until", s.Until)
	if len(s.Versions) > 0 {
		jsonwrite.Objects(t, "versions", s.Versions, func(t *jsonwrite.Text, v *calendarVersionV1) {
			t.Text("jurisdiction", v.Jurisdiction)
			t.Int("version", int64(v.Version))
			t.Int("year", int64(v.Year))
		})
	}
}

func (s *ruleV1) appendTo(t *jsonwrite.Text) {
	t.Textz("calendar", s.Calendar)
	t.Textz("clock_start", s.ClockStart)
	t.Textz("direction", s.Direction)
	t.Intz("extended_length", int64(s.ExtendedLength))
	t.Text("id", s.ID)
	t.Flagz("law", s.Law)
	t.Int("length", int64(s.Length))
	jsonwrite.Listz(t, "pause", s.Pause)
	t.Intz("persons", int64(s.Persons))
	t.Textz("result", s.Result)
	t.Textz("roll", s.Roll)
	t.Textz("source", s.Source)
	t.Text("time_zone", s.TimeZone)
	t.Text("unit", s.Unit)
	t.Textz("year_day", s.YearDay)
}
