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

	Near string `json:"near,omitzero" doc:"with commas, other persons whose id differs from this one only in what is easily mistaken, each by the kind of its id and in what it differs, as in account case; said while this history holds no grant. Nobody is merged: link whoever is the same person. It is as it is now, and no part of what stays the same"`
}

// A NearMiss says that another person of the app has an outside id that is alike
// but for what is easily mistaken. Nobody is merged: whoever is the same person is
// linked, by subject.linked.
type NearMiss struct {
	Kind    string   `json:"kind" doc:"of the other id: account or device"`
	Differs []string `json:"differs" doc:"in what alone: kind, form (full-width or decomposed letters), case, space, leading-zeros"`
	Person  string   `json:"person" doc:"the other's pseudonym"`
}

// ReceiptOf returns the public form of r.
func ReceiptOf(r ledger.Receipt) Receipt {
	s := Receipt{EventID: r.Event.String(), Position: FormatPosition(r.Position), Unknown: r.Unknown, Near: r.Near}
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
	s := Receipt{Unknown: r.Unknown, Near: r.Near}
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
