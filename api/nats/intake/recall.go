package intake

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"runtime"
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
//	n/u sequence    a rejected message that may be an opt-out and that nobody looked at
//	n/l number      a loss, until somebody looked at it
//	n/h number      who drains the stream, where several processes take turns, see term
//
// Sequences and numbers are big-endian.
const (
	marksRow   = "n/m"
	unseenRows = "n/u"
	lossRows   = "n/l"
)

// marks are how far a stream was seen. They are on disk before a message is acked:
// a number above Seen, or one that is Open, was never taken, and must be in the
// stream.
type marks struct {
	Version int       `json:"v"`
	Created time.Time `json:"created"`        // of the stream: another one of that name begins anew
	Seen    uint64    `json:"seen"`           // the highest that was handed out
	Last    uint64    `json:"last"`           // the highest that is known to have been there
	Open    []span    `json:"open,omitempty"` // handed out, and not yet about to be recorded or turned away
}

// A span is numbers of a stream, ends included.
type span struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// spans returns numbers as spans, in order.
func spans(numbers iter.Seq[uint64]) (all []span) {
	for _, n := range slices.Sorted(numbers) {
		if last := len(all) - 1; last >= 0 && all[last].Last+1 == n {
			all[last].Last = n
			continue
		}
		all = append(all, span{n, n})
	}
	return all
}

// A recall is what the ledger's store knows of the stream of incoming events. A
// nil recall knows nothing.
type recall struct {
	rows eventstore.Rows
	term *term // nil: no other process has one

	mu       sync.Mutex
	now      marks           // but for Open
	open     map[uint64]bool // see marks
	changes  uint64          // counts what is new
	suspects []span          // numbers that were passed over, and nobody looked yet
	late     map[uint64]bool // handed out after higher ones, since there are suspects

	writing sync.Mutex // held while marks are written
	kept    uint64     // the changes that the store has
}

// remember returns the recall of a ledger whose rows these are.
func remember(ctx context.Context, rows eventstore.Rows) (*recall, error) {
	if rows == nil {
		return nil, nil
	}

	m := &recall{rows: rows, late: map[uint64]bool{}, open: map[uint64]bool{}}
	value, has, err := rows.Get(ctx, []byte(marksRow))
	if err == nil && has {
		err = json.Unmarshal(value, &m.now)
	}
	if err != nil {
		return nil, fmt.Errorf("what is known of the stream of incoming events: %w", err)
	}

	for _, s := range m.now.Open {
		for n := s.First; n <= s.Last; n++ {
			m.open[n] = true
		}
	}

	m.now.Open = nil
	return m, nil
}

// met reports whether the ledger knows a stream.
func (m *recall) met() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.Version > 0
}

// knows reports whether a stream that was made then is the one that the ledger met.
func (m *recall) knows(created time.Time) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.Version > 0 && m.now.Created.Equal(created)
}

// begin takes a stream as it is, the first that a ledger meets. There are the
// numbers that it has; nil if all from the first to the last are there.
func (m *recall) begin(created time.Time, state jetstream.StreamState, there map[uint64]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes++
	m.now = marks{Version: 1, Created: created, Seen: state.FirstSeq - min(state.FirstSeq, 1), Last: state.LastSeq}
	if there != nil {
		m.now.Seen = state.LastSeq
		maps.Copy(m.open, there)
	}
}

// meet compares the stream as it is with what is known of it, and returns what
// was lost. Last is the highest number that was known before the stream was
// asked.
func (m *recall) meet(
	config jetstream.StreamConfig, created time.Time, state jetstream.StreamState, last uint64,
) (losses []loss) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes++
	switch {
	case !m.now.Created.Equal(created):
		losses = append(losses, m.lostBehind(madeAnew, 0, m.now.Last))
		begin := config.FirstSeq - min(config.FirstSeq, 1)
		m.now = marks{Version: 1, Created: created, Seen: begin, Last: begin}
	case state.LastSeq < last:
		losses = append(losses, m.lostBehind(wentBack, state.LastSeq, last))
		m.now.Seen, m.now.Last = min(m.now.Seen, state.LastSeq), state.LastSeq
	default:
		m.changes--
	}

	// What was never handed out and lies below the oldest message is gone. An empty
	// stream's oldest is the one that will come next.
	if state.FirstSeq > m.now.Seen+1 {
		losses = append(losses, gap(m.now.Seen+1, state.FirstSeq-1))
		m.now.Seen = state.FirstSeq - 1
		m.changes++
	}
	if state.LastSeq > m.now.Last {
		m.now.Last = state.LastSeq
		m.changes++
	}
	return losses
}

// lostBehind returns what was not taken of the numbers behind one, up to the last
// that is known. The lock is held.
func (m *recall) lostBehind(how string, behind, last uint64) loss {
	l := loss{How: how, First: max(behind, m.now.Seen) + 1, Last: last}
	if l.Last >= l.First {
		l.Count = l.Last - l.First + 1
	}

	for n := range m.open {
		if n > behind {
			l.First, l.Last, l.Count = min(l.First, n), max(l.Last, n), l.Count+1
			delete(m.open, n)
		}
	}

	if l.Count == 0 {
		l.First, l.Last = behind+1, behind // all had been taken
		if how == madeAnew {
			l.First, l.Last = m.now.Seen+1, m.now.Seen
		}
	}

	m.suspects = nil
	clear(m.late)
	return l
}

// gap is the loss of the numbers of a span.
func gap(first, last uint64) loss {
	return loss{How: leftGap, First: first, Last: last, Count: last - first + 1}
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

	m.open[seq] = true
	m.now.Last = max(m.now.Last, seq+behind)
	m.changes++
}

// keep writes that a message was seen and is about to be recorded or turned away.
// It does not sync: the append of the message's record does. Many who keep at
// once share a write.
func (m *recall) keep(ctx context.Context, seq uint64) error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	delete(m.open, seq)
	m.changes++
	mine := m.changes
	m.mu.Unlock()
	return m.write(ctx, mine)
}

// failed notes that a message could not be recorded: it is still to be taken.
func (m *recall) failed(seq uint64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open[seq] = true
	m.changes++
}

// write writes the marks, unless the store has as many changes already.
func (m *recall) write(ctx context.Context, changes uint64) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	if m.kept >= changes {
		return nil
	}

	// Others who are ready to keep do so first: then they share this write.
	runtime.Gosched()
	m.mu.Lock()
	now, kept := m.now, m.changes
	now.Open = spans(maps.Keys(m.open))
	m.mu.Unlock()
	value, err := json.Marshal(now)
	if err != nil {
		panic("intake: marks do not make JSON: " + err.Error())
	}
	if err := m.term.write(ctx, m.rows,
		eventstore.Change{Put: []eventstore.Row{{Key: []byte(marksRow), Value: value}}}); err != nil {
		return fmt.Errorf("what is known of the stream of incoming events: %w", err)
	}
	m.kept = kept
	return nil
}

// settle writes what is new.
func (m *recall) settle(ctx context.Context) error {
	m.mu.Lock()
	changes := m.changes
	m.mu.Unlock()
	return m.write(ctx, changes)
}

// sync returns when what was kept survives a crash.
func (m *recall) sync(ctx context.Context) error {
	if m == nil {
		return nil
	}
	return m.rows.Sync(ctx)
}

// last returns the highest number that is known to have been there.
func (m *recall) last() uint64 {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.Last
}

// expected returns the numbers that were handed out to a ledger that ended before
// it took them: the stream must have them.
func (m *recall) expected() []span {
	m.mu.Lock()
	defer m.mu.Unlock()
	return spans(maps.Keys(m.open))
}

// unfound notes which of the numbers of a span are not in the stream, and returns
// them as losses.
func (m *recall) unfound(s span, there map[uint64]bool) (losses []loss) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := map[uint64]bool{}
	for n := s.First; n <= s.Last; n++ {
		if m.open[n] && !there[n] {
			gone[n] = true
			delete(m.open, n)
			m.changes++
		}
	}

	for _, g := range spans(maps.Keys(gone)) {
		losses = append(losses, gap(g.First, g.Last))
	}
	return losses
}

// passedOver returns the numbers that were passed over and that nobody looked at
// yet.
func (m *recall) passedOver() []span {
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
	gone := map[uint64]bool{}
	for n := s.First; n <= s.Last; n++ {
		switch {
		case there[n] && !m.late[n]:
			m.open[n] = true
			m.changes++
		case !m.late[n]:
			gone[n] = true
		}
	}

	for _, g := range spans(maps.Keys(gone)) {
		losses = append(losses, gap(g.First, g.Last))
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
