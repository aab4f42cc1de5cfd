package wire

import (
	"encoding/json"
	"iter"
	"strconv"
	"strings"

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
	Counts   string `json:"counts,omitzero" doc:"of a consent: whether it counts for the purposes that it names: yes, partly or no. What does not count is recorded, and allows nothing"`
	Short    string `json:"short,omitzero" doc:"of a consent that does not count for all: for which purposes not, and why, as in face=separate-consent-missing, with commas"`
	Rests    string `json:"rests,omitzero" doc:"of a refusal or withdrawal: the purposes that go on since they rest on another legal basis than consent, and on which, as in tax=legal-duty, with commas"`
	Repeats  bool   `json:"repeats,omitzero" doc:"a machine's signal, such as gpc, that says nothing new: event_id is the record that said it, and no other was made"`
	Reason   string `json:"reason,omitzero" doc:"short, rests or repeats in sentences"`
	// Of a no only: nothing else is taken in part.
	Unknown string `json:"unknown,omitzero" doc:"purposes, with commas in a refusal or withdrawal that no policy declares: it holds for the others; correct the names and send a new event"`
}

// ReceiptOf returns the public form of r.
func ReceiptOf(r ledger.Receipt) Receipt {
	s := Receipt{
		EventID: r.Event.String(), Position: FormatPosition(r.Position), Unknown: r.Unknown,
		Counts: r.Counts.String(), Short: r.Short, Rests: r.Rests, Repeats: r.Repeats,
	}
	s.opened(r.Stream)
	s.Reason = receiptReason(r)
	return s
}

// receiptReason says in sentences what a receipt says by codes.
func receiptReason(r ledger.Receipt) string {
	var sentences []string
	for purpose, why := range pairs(r.Short) {
		sentences = append(sentences, "The consent does not count for "+purpose+": "+shortReason(why)+".")
	}
	for purpose, basis := range pairs(r.Rests) {
		sentences = append(sentences, "The policy bases "+purpose+" on "+basis+", not on consent: it goes on, and nothing of it is ordered stopped or deleted.")
	}
	if r.Repeats {
		sentences = append(sentences, "The signal said so before, and nothing new is recorded.")
	}
	return strings.Join(sentences, " ")
}

// pairs yields what stands in a list such as "a=b,c=d".
func pairs(list string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for pair := range strings.SplitSeq(list, ",") {
			if name, value, ok := strings.Cut(pair, "="); ok && !yield(name, value) {
				return
			}
		}
	}
}

// shortReason says in a sentence why a consent does not count.
func shortReason(why string) string {
	for _, r := range domain.CountRules {
		if string(r.Short) == why {
			return r.Says
		}
	}
	if says, ok := domain.HindranceTexts[domain.Hindrance(why)]; ok {
		return says
	}
	return why
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
	s := Receipt{}
	s.opened(r.Stream)
	if s.Request+s.Incident+r.Unknown+r.Short+r.Rests != "" || r.Repeats { // what else it says may need escaping
		text, err := json.Marshal(ReceiptOf(r))
		if err != nil {
			panic("wire: a receipt does not make JSON: " + err.Error())
		}
		return append(b, text...)
	}
	b = r.Event.Append(append(b, `{"event_id":"`...))
	b = strconv.AppendUint(append(b, `","position":"`...), uint64(r.Position), 10)
	b = append(b, '"')
	if r.Counts != ledger.NotSaid {
		b = append(append(append(b, `,"counts":"`...), r.Counts.String()...), '"')
	}
	return append(b, '}')
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
