package intake

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"consentledger/eventstore"

	"github.com/nats-io/nats.go/jetstream"
)

// JetStream is a buffer, and a buffer may lose what it acknowledged: with its
// directory, with a damaged block, by a purge. So the ledger's own store knows
// how far the ledger has seen the stream of incoming events, and which rejected
// messages nobody looked at.
//
// # Rows
//
// Every key begins with "n/". Every value is JSON with a version.
//
//	n/m             how far the stream was seen, see marks
//	n/u sequence    a rejected message that may be a no and that nobody looked at
//	n/l number      a loss, until somebody looked at it
//
// Sequences and numbers are big-endian.
const (
	marksRow   = "n/m"
	unseenRows = "n/u"
	lossRows   = "n/l"
)

// marks are how far a stream was seen. Seen is on disk before a message is acked:
// so a number above it that the stream no longer has was never taken.
type marks struct {
	Version int       `json:"v"`
	Created time.Time `json:"created"` // of the stream: another one of that name begins anew
	Floor   uint64    `json:"floor"`   // all up to here are done with
	Seen    uint64    `json:"seen"`    // the highest that was handed out
	Last    uint64    `json:"last"`    // the highest that is known to have been there
}

// A span is numbers of a stream, ends included.
type span struct{ First, Last uint64 }

func (s span) count() uint64 { return s.Last - s.First + 1 }

// A recall is what the ledger's store knows of the stream of incoming events. A
// nil recall knows nothing.
type recall struct {
	rows eventstore.Rows

	mu       sync.Mutex
	now      marks
	kept     marks           // as the store has them
	suspects []span          // numbers that were passed over, and nobody looked yet
	late     map[uint64]bool // handed out after higher ones, since there are suspects
}

// remember returns the recall of a ledger whose rows these are.
func remember(ctx context.Context, rows eventstore.Rows) (*recall, error) {
	if rows == nil {
		return nil, nil
	}
	m := &recall{rows: rows, late: map[uint64]bool{}}
	value, has, err := rows.Get(ctx, []byte(marksRow))
	if err == nil && has {
		err = json.Unmarshal(value, &m.now)
	}
	if err != nil {
		return nil, fmt.Errorf("what is known of the stream of incoming events: %w", err)
	}
	m.kept = m.now
	return m, nil
}

// meet compares the stream as it is with what is known of it, and returns what
// was lost. The first stream that a ledger meets is taken as it is.
//
// Last is the highest number that was known before the stream was asked.
func (m *recall) meet(config jetstream.StreamConfig, created time.Time, state jetstream.StreamState, last uint64) (losses []loss) {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.now
	switch {
	case was.Version == 0:
		m.now = marks{Version: 1, Created: created, Floor: state.FirstSeq - min(state.FirstSeq, 1), Seen: state.LastSeq, Last: state.LastSeq}
		if state.NumDeleted == 0 { // nothing of it was taken out of turn
			m.now.Seen = m.now.Floor
		}
		return nil
	case !was.Created.Equal(created):
		losses = append(losses, loss{How: madeAnew, First: was.Floor + 1, Last: max(was.Last, was.Floor)})
		begin := config.FirstSeq - min(config.FirstSeq, 1)
		m.now = marks{Version: 1, Created: created, Floor: begin, Seen: begin, Last: begin}
		m.suspects, m.late = nil, map[uint64]bool{}
	case state.LastSeq < last:
		losses = append(losses, loss{How: wentBack, First: state.LastSeq + 1, Last: last})
		m.now.Floor, m.now.Seen, m.now.Last = min(was.Floor, state.LastSeq), min(was.Seen, state.LastSeq), state.LastSeq
		m.suspects, m.late = nil, map[uint64]bool{}
	}

	// What was never handed out and lies below the oldest message is gone. An empty
	// stream's oldest is the one that will come next.
	if state.FirstSeq > m.now.Seen+1 {
		losses = append(losses, loss{How: leftGap, First: m.now.Seen + 1, Last: state.FirstSeq - 1})
		m.now.Seen = state.FirstSeq - 1
	}
	m.now.Last = max(m.now.Last, state.LastSeq)
	return losses
}

// see notes that a message was handed out, and that so many wait behind it.
func (m *recall) see(seq, behind uint64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case seq > m.now.Seen+1:
		m.suspects = append(m.suspects, span{m.now.Seen + 1, seq - 1})
		m.now.Seen = seq
	case seq > m.now.Seen:
		m.now.Seen = seq
	case len(m.suspects) > 0:
		m.late[seq] = true
	}
	m.now.Last = max(m.now.Last, seq+behind)
}

// keep writes that a message was seen, if that is not written yet. It does not
// sync: the append of the message's record does.
func (m *recall) keep(ctx context.Context, seq uint64) error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept.Created.Equal(m.now.Created) && seq <= m.kept.Seen {
		return nil
	}
	return m.write(ctx)
}

// write writes the marks. The lock is held.
func (m *recall) write(ctx context.Context) error {
	value, err := json.Marshal(m.now)
	if err != nil {
		panic("intake: marks do not make JSON: " + err.Error())
	}
	if err := m.rows.Write(ctx, eventstore.Change{Put: []eventstore.Row{{Key: []byte(marksRow), Value: value}}}); err != nil {
		return fmt.Errorf("what is known of the stream of incoming events: %w", err)
	}
	m.kept = m.now
	return nil
}

// sync returns when what was kept survives a crash.
func (m *recall) sync(ctx context.Context) error {
	if m == nil {
		return nil
	}
	return m.rows.Sync(ctx)
}

// settle notes how far everything is done with, and writes what is new.
func (m *recall) settle(ctx context.Context, floor uint64) error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now.Floor = max(m.now.Floor, min(floor, m.now.Seen)); m.now == m.kept {
		return nil
	}
	return m.write(ctx)
}

// known returns the highest number that was handed out, and the highest that is
// known to have been there.
func (m *recall) known() (seen, last uint64) {
	if m == nil {
		return 0, 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.Seen, m.now.Last
}

// passedOver returns the numbers that were passed over and that nobody looked at
// yet.
func (m *recall) passedOver() []span {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.suspects)
}

// lookedAt takes the first suspect away. There are numbers that the stream
// still has: they will be handed out later. What it has not, and what was not
// handed out meanwhile, is lost.
func (m *recall) lookedAt(there map[uint64]bool) (losses []loss) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.suspects[0]
	m.suspects = m.suspects[1:]
	known := slices.Sorted(maps.Keys(there))
	for seq := range m.late {
		if seq >= s.First && seq <= s.Last && !there[seq] {
			known = append(known, seq)
		}
	}
	slices.Sort(known)

	next := s.First
	for _, seq := range append(known, s.Last+1) {
		if seq > next {
			losses = append(losses, loss{How: leftGap, First: next, Last: seq - 1})
		}
		next = seq + 1
	}
	if len(m.suspects) == 0 {
		clear(m.late)
	}
	return losses
}

// numbered returns the key of a row that has a number.
func numbered(rows string, n uint64) []byte { return binary.BigEndian.AppendUint64([]byte(rows), n) }

// numberOf returns the number in the key of a row.
func numberOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }
