package wire

import (
	"strconv"

	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/jsonwrite"
)

// A ReplayRequest says which part of history is wanted. Empty members let all
// through.
type ReplayRequest struct {
	App     string `json:"app,omitzero"`
	Subject string `json:"subject,omitzero" doc:"account:ID, device:ID or ID; needs app"`
	Type    string `json:"type,omitzero" doc:"as in consent.given; several are separated by commas"`
	From    string `json:"from,omitzero" doc:"RFC 3339; begins with the first record of this time or later"`
	To      string `json:"to,omitzero" doc:"RFC 3339; ends before the first record of this time or later"`
	After   string `json:"after,omitzero" doc:"only entries after this position"`
	Access  string `json:"access,omitzero" doc:"of data.accessed: only accesses of this kind, as in export, or of several, separated by commas"`
	Last    string `json:"last,omitzero" doc:"only the newest so many, 1 to 1000; of several types or kinds of accesses so many of each"`
	Before  string `json:"before,omitzero" doc:"only entries before this position: with last, the page before"`
	Hashes  bool   `json:"hashes,omitzero" doc:"also the hash that each record has in the log of its app"`
	Replays bool   `json:"replays,omitzero" doc:"also the records of who replayed, which are left out unless type asks for them"`
	Accessor
}

// AppendLine appends e as one line of a replay: the same bytes wherever the
// ledger is read from.
func AppendLine(b []byte, e codec.Entry) ([]byte, error) {
	return AppendHashed(b, e, "")
}

// AppendHashed is [AppendLine] with the hash of the record in hexadecimal digits.
func AppendHashed(b []byte, e codec.Entry, leaf string) ([]byte, error) {
	h, err := EntryOf(e)
	if err != nil {
		return b, err
	}
	h.Leaf = leaf
	t := jsonwrite.Text{B: append(b, '{')}
	appendEntry(&t, h)
	return append(t.B, '}', '\n'), t.Err
}

// appendEntry writes the members by hand: a replay writes one for every record. A
// test holds it to what reflection writes.
func appendEntry(t *jsonwrite.Text, h HistoryEntry) {
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
	t.Textz("leaf", h.Leaf)
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
