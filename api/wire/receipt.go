package wire

import (
	"encoding/json"
	"iter"
	"strconv"
	"strings"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
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
	Repeats  bool   `json:"repeats,omitzero" doc:"a machine's signal, such as gpc, or a link that is open already, which says nothing new: event_id is the record that said it, and no other was made"`
	Reason   string `json:"reason,omitzero" doc:"short, rests or repeats in sentences"`
	// Of an opt-out only: nothing else is taken in part.
	Unknown string `json:"unknown,omitzero" doc:"purposes, with commas in a refusal or withdrawal that no policy declares: it holds for the others; correct the names and send a new event"`

	NotUnderstood string `json:"not_understood,omitzero" doc:"of an opt-out: the members that were not understood, with commas. It is taken without them; what they said is kept, sealed"`

	ID      string `json:"id,omitzero" doc:"of the event, as it was understood"`
	Subject string `json:"subject,omitzero" doc:"whom the event was understood to be about"`
	Outcome string `json:"outcome" doc:"recorded"`

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

// What became of a request: in every receipt and problem, and in every answer
// over NATS.
const (
	Recorded = "recorded"
	Refused  = "refused"
	Answered = "answered"
)

// WithOutcome puts the outcome in front of an answer, which is a JSON object that
// has members and no outcome.
func WithOutcome(answer []byte, outcome string) []byte {
	b := make([]byte, 0, len(answer)+len(outcome)+len(`"outcome":"",`))
	b = append(append(append(b, `{"outcome":"`...), outcome...), `",`...)
	return append(b, answer[1:]...)
}

// ReceiptOf returns the public form of r.
func ReceiptOf(r ledger.Receipt) Receipt {
	s := Receipt{
		EventID: r.Event.String(), Position: FormatPosition(r.Position), Unknown: r.Unknown,
		NotUnderstood: r.NotUnderstood, Near: r.Near,
		Outcome: Recorded,
		Counts:  r.Counts.String(), Short: r.Short, Rests: r.Rests, Repeats: r.Repeats,
	}
	s.Request, s.Incident = opened(r.Stream)
	s.Reason = receiptReason(r)
	return s
}

// RecordedOf is [ReceiptOf] for an event that somebody sent: it says as whose it
// was understood, and by which id.
func RecordedOf(r ledger.Receipt) Receipt {
	s := ReceiptOf(r)
	s.ID = r.ID
	if r.Person != (ident.PersonKey{}) {
		s.Subject = r.Person.String()
	}
	return s
}

// receiptReason says in sentences what a receipt says by codes.
func receiptReason(r ledger.Receipt) string {
	var sentences []string
	for purpose, why := range pairs(r.Short) {
		says := "The consent does not count for " + purpose + ": " + shortReason(why) + "."
		if todo, is := Advice[domain.Shortfall(why)]; is {
			says += " " + todo
		}
		sentences = append(sentences, says)
	}

	for purpose, basis := range pairs(r.Rests) {
		sentences = append(sentences,
			"The policy bases "+purpose+" on "+basis+", not on consent: it goes on, and nothing of it is ordered "+
				"stopped or deleted.")
	}

	if r.Repeats {
		sentences = append(sentences, "This was said before, and nothing new is recorded.")
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
func opened(stream ident.StreamID) (request, incident string) {
	switch stream.Noun {
	case ident.RequestNoun:
		return stream.ID, ""
	case ident.IncidentNoun:
		return "", stream.ID
	}
	return "", ""
}

// AppendReceipt appends what [RecordedOf] returns as package encoding/json writes
// it.
func AppendReceipt(b []byte, r ledger.Receipt) []byte {
	text, err := json.Marshal(RecordedOf(r))
	if err != nil {
		panic("wire: a receipt does not make JSON: " + err.Error())
	}
	return append(b, text...)
}

// FormatPosition returns the token that [ParsePosition] reads. To everybody
// else it is opaque: it can be compared for equality and given back.
func FormatPosition(p eventstore.Position) string { return strconv.FormatUint(uint64(p), 10) }

// ParsePosition reads what [FormatPosition] writes, and nothing else.
func ParsePosition(s string) (eventstore.Position, error) {
	p, err := strconv.ParseUint(s, 10, 64)
	if err != nil || FormatPosition(eventstore.Position(p)) != s {
		return 0, refusal.Refusal{Code: refusal.Malformed,
			Text: "a position is a token that the ledger gave out: give it back as it was"}
	}
	return eventstore.Position(p), nil
}

// Advice says what to do about a consent that does not count. The answer to who
// records it and the check say the same.
var Advice = map[domain.Shortfall]string{
	domain.ActGivesNone: "Ask the person, and name the act of the policy by which they said yes.",
	domain.TickedBefore: "Show a box that is not ticked, and record what the person does with it.",
	domain.NeedsSeparate: "Ask for this purpose alone, on a control of its own, or name the act that the policy has " +
		"for it.",
	domain.NeedsControl: "Name the control that the person used, which offers this purpose, or ask on one that does.",
	domain.NeedsAct:     "Name the act that the policy has for this purpose, if the person did that, or ask by it.",
	domain.NeedsExplicit: "The purpose was changed: ask for it by an act that says yes to the change, not by a " +
		"general one.",
	domain.NeedsDocument:  "Record it again with a proof that names document, method and checked_by.",
	domain.NeedsGuardian:  "Ask the guardian, and record that the guardian consents, with what proves it.",
	domain.GuardianLapsed: "Ask the person.",
	domain.NoBindingText: "It names no locale, or one in which the policy has no authoritative text: name the " +
		"locale of the text that was shown, or publish the text.",
	domain.NoVersionThen: "Record it again, under another id, with the hash of the version that was shown as version.",
}
