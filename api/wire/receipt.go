package wire

import (
	"encoding/json"
	"strconv"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
)

// A Receipt says that an event is recorded, and where.
type Receipt struct {
	EventID  string `json:"event_id"`
	Position string `json:"position"`
	Request  string `json:"request,omitzero" doc:"the id of the request that was opened, or that the step is of"`
	Incident string `json:"incident,omitzero" doc:"likewise of an incident"`
	// Of a no only: nothing else is taken in part.
	Unknown string `json:"unknown,omitzero" doc:"purposes, with commas in a refusal or withdrawal that no policy declares: it holds for the others; correct the names and send a new event"`
}

// ReceiptOf returns the public form of r.
func ReceiptOf(r ledger.Receipt) Receipt {
	s := Receipt{EventID: r.Event.String(), Position: FormatPosition(r.Position), Unknown: r.Unknown}
	s.opened(r.Stream)
	return s
}

// opened says what was opened, or what a step is of.
func (s *Receipt) opened(stream domain.StreamID) {
	switch stream.Noun {
	case domain.RequestNoun:
		s.Request = stream.ID
	case domain.IncidentNoun:
		s.Incident = stream.ID
	}
}

// AppendReceipt appends the public form of r as package encoding/json writes it.
func AppendReceipt(b []byte, r ledger.Receipt) []byte {
	s := Receipt{Unknown: r.Unknown}
	s.opened(r.Stream)
	if s != (Receipt{}) { // what else it says may need escaping
		text, err := json.Marshal(ReceiptOf(r))
		if err != nil {
			panic("wire: a receipt does not make JSON: " + err.Error())
		}
		return append(b, text...)
	}
	b = r.Event.Append(append(b, `{"event_id":"`...))
	b = strconv.AppendUint(append(b, `","position":"`...), uint64(r.Position), 10)
	return append(b, `"}`...)
}

// FormatPosition returns the token that [ParsePosition] reads. To everybody
// else it is opaque: it can be compared for equality and given back.
func FormatPosition(p eventstore.Position) string { return strconv.FormatUint(uint64(p), 10) }

// ParsePosition reads what [FormatPosition] writes, and nothing else.
func ParsePosition(s string) (eventstore.Position, error) {
	p, err := strconv.ParseUint(s, 10, 64)
	if err != nil || FormatPosition(eventstore.Position(p)) != s {
		return 0, domain.Refusal{Code: domain.Malformed, Text: "a position is a token that the ledger gave out: give it back as it was"}
	}
	return eventstore.Position(p), nil
}
