package wire

import (
	"strconv"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/jsonwrite"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// A ReplayRequest says which part of history is wanted. Empty members let all
// through.
type ReplayRequest struct {
	App     string `json:"app,omitzero"`
	Subject string `json:"subject,omitzero" doc:"account:ID, device:ID or ID; needs app"`
	Type    string `json:"type,omitzero" doc:"as in consent.given"`
	From    string `json:"from,omitzero" doc:"RFC 3339; begins with the first record of this time or later"`
	To      string `json:"to,omitzero" doc:"RFC 3339; ends before the first record of this time or later"`
	After   string `json:"after,omitzero" doc:"only entries after this position"`
	Replays bool   `json:"replays,omitzero" doc:"also the records of who replayed, which are left out unless type asks for them"`
	Reader
}

// ParseReplay reads a [ReplayRequest] from JSON.
func ParseReplay(data []byte) (ReplayRequest, error) {
	var r ReplayRequest
	if len(data) > MaxEvent {
		return r, errLarge
	}
	if err := json.Unmarshal(data, &r, json.RejectUnknownMembers(true)); err != nil {
		return ReplayRequest{}, wrongShape(err, "the replay")
	}
	return r, NoEmpty(data)
}

// Selection returns what r asks of a ledger. A refusal begins with the name of
// the member that is wrong.
func (r ReplayRequest) Selection() (s ledger.Selection, err error) {
	if r.App != "" {
		if s.App, err = domain.ParseAppName(r.App); err != nil {
			return s, malformed("app: %v", err)
		}
	}
	if r.Subject != "" {
		if s.Person, err = domain.ParsePersonKey(r.Subject); err != nil {
			return s, malformed("subject: %v", err)
		}
		if r.App == "" {
			return s, malformed("app: a person is known to an app: name it too")
		}
	}
	if s.Type = Canonical(r.Type); s.Type != "" && !ledger.IsType(s.Type) {
		return s, malformed("type: no record has this type; name one as in consent.given or policy.published, without a version")
	}
	if s.From, err = instant("from", r.From); err != nil {
		return s, err
	}
	if s.To, err = instant("to", r.To); err != nil {
		return s, err
	}
	if s.To != 0 && s.To < s.From {
		return s, malformed("to: is before from")
	}
	if r.After != "" {
		if s.After, err = ParsePosition(r.After); err != nil {
			return s, malformed("after: a position is written as receipts and histories write it")
		}
	}
	s.Replays = r.Replays
	return s, nil
}

// Asked is [ReplayRequest.Selection] of what is asked now: its span has come.
func (r ReplayRequest) Asked(now deadline.Instant) (ledger.Selection, error) {
	s, err := r.Selection()
	if err != nil {
		return s, err
	}
	if s.From, err = HasCome("from", s.From, now); err != nil {
		return s, err
	}
	s.To, err = HasCome("to", s.To, now)
	return s, err
}

func instant(name, text string) (deadline.Instant, error) {
	if text == "" {
		return 0, nil
	}
	t, err := deadline.ParseInstant(text)
	if err != nil {
		return 0, malformed("%s: %v", name, err)
	}
	return t, nil
}

// AppendLine appends e as one line of a replay: the same bytes wherever the
// ledger is read from.
func AppendLine(b []byte, e codec.Entry) ([]byte, error) {
	h, err := EntryOf(e)
	if err != nil {
		return b, err
	}
	t := jsonwrite.Text{B: append(b, '{')}
	h.appendTo(&t)
	return append(t.B, '}', '\n'), t.Err
}

// appendTo writes the members by hand: a replay writes one for every record. A
// test holds it to what reflection writes.
func (h *HistoryEntry) appendTo(t *jsonwrite.Text) {
	t.Text("event_id", h.EventID)
	t.Text("type", h.Type)
	t.Text("position", h.Position)
	t.Int("revision", int64(h.Revision))
	t.Text("at", h.At)
	t.Text("recorded", h.Recorded)
	t.Textz("claimed", h.Claimed)
	if h.Sequence != 0 {
		t.Name("sequence")
		t.B = strconv.AppendUint(t.B, h.Sequence, 10)
	}
	t.Text("actor", h.Actor)
	t.Text("recorded_by", h.RecordedBy)
	t.Textz("on_behalf_of", h.OnBehalfOf)
	t.Text("stream", h.Stream)
	t.Name("data")
	t.B = append(t.B, h.Data...)
	t.Name("parts")
	t.B = append(t.B, '[')
	for i, role := range h.Parts {
		if i > 0 {
			t.B = append(t.B, ',')
		}
		t.Quote(role)
	}
	t.B = append(t.B, ']')
	t.Textz("not_understood", h.NotUnderstood)
	if len(h.Owed) > 0 {
		jsonwrite.Objects(t, "owed", h.Owed, func(t *jsonwrite.Text, o *OwedEntry) {
			t.Text("stream", o.Stream)
			t.Text("obligation", o.Obligation)
			t.Text("kind", o.Kind)
			t.Textz("target", o.Target)
			t.Text("rule", o.Rule)
			t.Textz("due", o.Due)
			t.Textz("until", o.Until)
		})
	}
}
