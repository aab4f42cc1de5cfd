package server

import (
	"context"
	"encoding/binary"
	"fmt"

	"consentledger/eventstore"
)

// beforeKey is where a ledger that moved remembers up to where positions are of the
// store that it was in before; see [eventstore.Moved].
var beforeKey = []byte("elsewhere/1/before")

func ReadBefore(ctx context.Context, rows eventstore.Rows) (eventstore.Position, error) {
	b, ok, err := rows.Get(ctx, beforeKey)
	switch {
	case err != nil || !ok:
		return 0, err
	case len(b) != 8:
		return 0, fmt.Errorf("what is remembered of the event store before has %d bytes: want 8", len(b))
	}
	return eventstore.Position(binary.BigEndian.Uint64(b)), nil
}

func BeforeRow(before eventstore.Position) eventstore.Row {
	return eventstore.Row{Key: beforeKey, Value: binary.BigEndian.AppendUint64(nil, uint64(before))}
}
