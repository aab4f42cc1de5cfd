package wire

import (
	"strconv"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
)

// A Receipt says that an event is recorded, and where.
type Receipt struct {
	EventID  string `json:"event_id"`
	Position string `json:"position"`
}

// ReceiptOf returns the public form of r.
func ReceiptOf(r ledger.Receipt) Receipt {
	return Receipt{r.Event.String(), FormatPosition(r.Position)}
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
