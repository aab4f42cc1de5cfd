package intake

import (
	"context"
	"encoding/json"
	"fmt"

	"consentledger/eventstore"
)

// Unlooked returns how many rejected messages may be an opt-out and were not looked at by
// anybody: they are in the ledger's NATS server.
func Unlooked(ctx context.Context, rows eventstore.Rows) (n uint64, err error) {
	for _, err := range rows.Scan(ctx, []byte(unseenRows)) {
		if err != nil {
			return n, fmt.Errorf("what is known of rejected messages: %w", err)
		}
		n++
	}
	return n, nil
}

// Untaken returns how many messages of the stream of incoming events were known and not
// taken when a ledger stopped: they are in its NATS server still. Nothing says how many
// came later.
func Untaken(ctx context.Context, rows eventstore.Rows) (n uint64, err error) {
	text, ok, err := rows.Get(ctx, []byte(marksRow))
	if err != nil || !ok {
		return 0, err
	}

	var m marks
	if err := json.Unmarshal(text, &m); err != nil {
		return 0, fmt.Errorf("what is known of the stream of incoming events: %w", err)
	}
	if m.Last > m.Seen {
		n = m.Last - m.Seen
	}

	for _, open := range m.Open {
		n += open.Last - open.First + 1
	}
	return n, nil
}
