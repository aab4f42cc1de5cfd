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
	hint, err := d.look(stream)
	if err != nil {
		return 0, fmt.Errorf("embedded: stream %s: %w", stream, err)
	}
	w := &write{stream: stream, expected: expected, records: records, hint: hint, done: make(chan struct{})}
	if err := bring(ctx, d.DB, d.appends, w, w.done); err != nil {
		return 0, err
	}
	switch {
	case w.err != nil:
		return 0, w.err
	case w.actual != expected:
		return 0, d.lost(ctx, w)
	}
	return w.last, nil
}

// A write is an append on its way through the lane, which sets the last three
// fields. One without records is only there to be synced.
type write struct {
	stream   eventstore.Stream
	expected eventstore.Revision
	records  []eventstore.Record
	hint     hint
	done     chan struct{} // closed once it is durable, or was not made

	actual eventstore.Revision
	last   eventstore.Position
	err    error
}

// groupBytes is how much data an append lane's group holds before it ends
// early, so that a batch fits into the memory table.
const groupBytes = 1 << 20

// appendAll makes writes in their order, as few batches as it may. Only the
// append lane calls it.
func (d *DB) appendAll(writes []*write) {
	for len(writes) > 0 {
		n, size := 0, 0
		for ; n < len(writes) && size < groupBytes; n++ {
			for _, r := range writes[n].records {
				size += len(r.Data)
			}
		}
		d.appendGroup(writes[:n], size)
		writes = writes[n:]
	}
}

// appendGroup makes writes by one batch, and returns once that is durable. The
// end of the sync is the commit point. It may never return, see [logger].
func (d *DB) appendGroup(writes []*write, size int) {
	if err := d.full(); err != nil {
		for _, w := range writes {
			w.err = err
			close(w.done)
		}
		return
	}
	b := d.batch(size + 400*len(writes))
	made := writes[:0]
	for _, w := range writes {
		if d.put(b, w) {
			made = append(made, w)
		} else {
			close(w.done)
		}
	}
	if len(made) == 0 {
		_ = b.Close() // it only gives the memory back
		return
	}
	if d.sync(b) != nil {
		return // whoever waits sees that the store is dead
	}
	for _, w := range made {
		close(w.done)
	}
}

// put checks the revision of w and adds its records to b. It reports whether it
// did.
func (d *DB) put(b *pebble.Batch, w *write) bool {
	if w.last = d.last; len(w.records) == 0 {
		return true
	}
	w.actual, w.err = d.length(w.stream, w.hint)
	if w.err != nil || w.actual != w.expected {
		return false
	}
	revision := w.expected
	for _, r := range w.records {
		w.last++
		revision++
		putRecord(b, w.last, w.stream, revision, r)
	}
	d.last = w.last
	d.heads.set(w.stream, revision)
	return true
}

// putRecord writes a record, and where it is, into b.
func putRecord(b *pebble.Batch, at eventstore.Position, s eventstore.Stream, rev eventstore.Revision, r eventstore.Record) {
	op := b.SetDeferred(recordKeySize, recordSize(s, r))
	appendRecordKey(op.Key[:0], at)
	appendRecord(op.Value[:0], s, rev, r)
	_ = op.Finish() // fails only in a batch with an index
	op = b.SetDeferred(streamKeySize(s), 8)
	appendStreamKey(op.Key[:0], s, rev)
	binary.BigEndian.PutUint64(op.Value, uint64(at))
	_ = op.Finish()
}

// sync makes b durable and moves the mark to the last position.
func (d *DB) sync(b *pebble.Batch) error {
	wal := d.walNum.Load()
	if err := d.pebble.ApplyNoSyncWait(ended(b), pebble.Sync); err != nil {
		d.die(err)
		return err
	}
	p := promise{wal: wal, position: d.last}
	if seq := b.SeqNum(); seq > 0 {
		p.sequence = uint64(seq) + uint64(b.Count())
	}
	if err := b.SyncWait(); err != nil {
		d.die(fmt.Errorf("sync: %w", err))
		return err
	}
	_ = b.Close() // it only gives the memory back
	d.mark.move(p)
	return nil
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

// sealAfter is how long the append lane must have had nothing to do before it
// writes a seal.
const sealAfter = 3 * time.Millisecond

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
