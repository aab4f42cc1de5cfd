package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"consentledger/eventstore"
)

type store struct{ *DB }

// Append implements [eventstore.Store].
func (d store) Append(ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	if err := eventstore.CheckBounds(stream, records); err != nil {
		return 0, err
	}
	if err := d.alive(ctx); err != nil {
		return 0, err
	}
	values := make([][]byte, len(records))
	for i, r := range records {
		values[i] = formatRecord(stream, expected+eventstore.Revision(i)+1, r)
	}
	hint, err := d.look(stream)
	if err != nil {
		return 0, fmt.Errorf("embedded: stream %s: %w", stream, err)
	}
	w := &write{stream: stream, expected: expected, values: values, hint: hint, done: make(chan struct{})}
	if err := d.run(ctx, d.appends, func() { d.put(w) }); err != nil {
		return 0, err
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.actual != expected {
		return 0, d.lost(ctx, w)
	}
	return w.last, d.wait(ctx, w.done)
}

// A write is an append on its way through the lane, which sets the last three
// fields.
type write struct {
	stream   eventstore.Stream
	expected eventstore.Revision
	values   [][]byte
	hint     hint
	done     chan struct{} // closed once durable

	actual eventstore.Revision
	last   eventstore.Position
	err    error
}

// put checks the revision and writes the batch. Only the append lane calls it.
func (d *DB) put(w *write) {
	w.actual, w.err = d.length(w.stream, w.hint)
	if w.last = d.last; w.err != nil || w.actual != w.expected {
		return
	}
	b := d.batch()
	for i, value := range w.values {
		w.last++
		revision := w.expected + eventstore.Revision(i) + 1
		w.err = set(w.err, b, recordKey(w.last), value)
		w.err = set(w.err, b, streamKey(w.stream, revision), binary.BigEndian.AppendUint64(nil, uint64(w.last)))
	}
	if w.err != nil {
		return
	}
	d.last = w.last
	d.heads.set(w.stream, w.expected+eventstore.Revision(len(w.values)))
	w.err = d.apply(b, w.last, w.done)
}

func set(err error, b *pebble.Batch, key, value []byte) error {
	if err != nil {
		return err
	}
	return b.Set(key, value, nil)
}

// apply writes b to the log and the memory table and leaves the wait for the
// sync to the committer. It may never return, see [logger].
func (d *DB) apply(b *pebble.Batch, last eventstore.Position, done chan struct{}) error {
	wal := d.walNum.Load()
	if err := d.pebble.ApplyNoSyncWait(ended(b), pebble.Sync); err != nil {
		d.die(err)
		return d.deadWith
	}
	c := commit{b, promise{wal: wal, position: last}, done}
	if seq := b.SeqNum(); seq > 0 {
		c.promise.sequence = uint64(seq) + uint64(b.Count())
	}
	select {
	case d.commits <- c:
		return nil
	case <-d.dead:
		return d.deadWith
	}
}

// lost returns the conflict once the records that won are durable.
func (d *DB) lost(ctx context.Context, w *write) error {
	for {
		at, more := d.mark.now()
		if at >= w.last {
			return &eventstore.ConflictError{Stream: w.stream, Expected: w.expected, Actual: w.actual}
		}
		if err := d.wait(ctx, more); err != nil {
			return err
		}
	}
}

// A commit is a batch whose sync has not been waited for.
type commit struct {
	batch   *pebble.Batch
	promise promise // true once the batch is synced
	done    chan struct{}
}

// sealAfter is how long the committer must have had nothing to do before it
// writes a seal.
const sealAfter = 3 * time.Millisecond

// commitAll waits for one sync after the other, and moves the mark. When it has
// nothing to do it writes a seal. It ends after Close, once the lanes have.
func (d *DB) commitAll() {
	idle := time.NewTimer(sealAfter)
	defer idle.Stop()
	for {
		select {
		case c, ok := <-d.commits:
			if !ok {
				return
			}
			if err := c.batch.SyncWait(); err != nil {
				d.die(fmt.Errorf("sync: %w", err))
				return
			}
			_ = c.batch.Close() // it only gives the memory back
			d.mark.move(c.promise)
			close(c.done)
			idle.Reset(sealAfter)
		case <-idle.C:
			d.seal()
		case <-d.dead:
			return
		}
	}
}

// mark is how far the records are durable.
type mark struct {
	mu       sync.Mutex
	position eventstore.Position
	promise  promise
	more     chan struct{} // closed when the position next moves
}

// now returns the last durable position and a channel that is closed when
// there is a later one.
func (m *mark) now() (eventstore.Position, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.more == nil {
		m.more = make(chan struct{})
	}
	return m.position, m.more
}

func (m *mark) move(p promise) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.sequence > m.promise.sequence {
		m.promise.wal, m.promise.sequence = p.wal, p.sequence
	}
	if p.position <= m.position {
		return
	}
	m.position, m.promise.position = p.position, p.position
	if m.more != nil {
		close(m.more)
		m.more = nil
	}
}

func (m *mark) promised() promise {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.promise
}
