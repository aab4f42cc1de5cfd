package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"consentledger/eventstore"
)

// A memory is what a data directory remembers of a server that holds something of the
// ledger: the newest that was there. So another server, or an old copy of this one, is
// not taken for it.
type memory struct {
	of   interface{ Seen() eventstore.Mark }
	rows eventstore.Rows
	key  []byte

	// Where what is remembered first is remembered for other processes, too; nil:
	// nowhere.
	first eventstore.Rows

	mu    sync.Mutex
	Saved eventstore.Mark
}

// Recollect returns what is remembered under a key, of nothing yet.
func Recollect(ctx context.Context, rows eventstore.Rows, key []byte) (*memory, error) {
	m := &memory{rows: rows, key: key}
	b, ok, err := rows.Get(ctx, key)
	switch {
	case err != nil || !ok:
		return m, err
	case len(b) != 8+16:
		return nil, fmt.Errorf("what is remembered as %s has %d bytes: want 24", key, len(b))
	}
	m.Saved = eventstore.Mark{Position: eventstore.Position(binary.BigEndian.Uint64(b)), ID: eventstore.EventID(b[8:])}
	return m, nil
}

// MarkRow is the row that recollect reads.
func MarkRow(key []byte, m eventstore.Mark) eventstore.Row {
	return eventstore.Row{Key: key, Value: append(binary.BigEndian.AppendUint64(nil, uint64(m.Position)), m.ID[:]...)}
}

func (m *memory) remembered() eventstore.Mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Saved
}

// remember remembers the newest that was seen.
func (m *memory) remember(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := m.of.Seen()
	if seen == m.Saved {
		return nil
	}

	put := eventstore.Change{Put: []eventstore.Row{MarkRow(m.key, seen)}}
	if m.first != nil {
		once := put
		once.Absent = [][]byte{m.key}
		if err := m.first.Write(ctx, once); err != nil && !errors.Is(err, eventstore.ErrCondition) {
			return err
		}
		m.first = nil
	}
	if err := eventstore.WriteDurably(ctx, m.rows, put); err != nil {
		return err
	}

	m.Saved = seen
	return nil
}

// rememberEvery is how often the newest is remembered.
const rememberEvery = 10 * time.Second

// run remembers the newest now and then, until ctx is done. What could not be remembered,
// as while the vault is away, is told, and remembered the next time.
func (m *memory) run(ctx context.Context, tell func(error)) {
	tick := time.NewTicker(rememberEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return // Close remembers the last
		}
		if err := m.remember(ctx); err != nil && ctx.Err() == nil {
			tell(err)
		}
	}
}
