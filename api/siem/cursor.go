package siem

import (
	"strconv"
	"strings"

	"consentledger/api/wire"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
)

// A Cursor says up to where somebody has read. The zero Cursor is before the first event.
type Cursor struct {
	Position eventstore.Position // of the log
	Number   uint64              // of the trail
}

// String returns the form that [ParseCursor] reads.
func (c Cursor) String() string {
	return wire.FormatPosition(c.Position) + "-" + strconv.FormatUint(c.Number, 10)
}

// ParseCursor reads what [Cursor.String] writes, and nothing else.
func ParseCursor(text string) (c Cursor, err error) {
	position, number, _ := strings.Cut(text, "-")
	if c.Position, err = wire.ParsePosition(position); err != nil {
		return Cursor{}, errCursor
	}
	if c.Number, err = strconv.ParseUint(number, 10, 64); err != nil || c.String() != text {
		return Cursor{}, errCursor
	}
	return c, nil
}

var errCursor = refusal.Refusal{Code: refusal.Malformed, Path: "after",
	Text: "after: a cursor is what the ledger gave out, as in 1234-17: give it back as it was"}

// errOther refuses a cursor of another ledger, or of this one before an older state of it
// was brought back: what has the numbers now would be passed over.
var errOther = refusal.Refusal{Code: refusal.Malformed, Path: "after",
	Text: "after: this ledger has not come as far as the cursor says: it is of another one, or an older state was " +
		"brought back since. Ask again without it, from the beginning"}
