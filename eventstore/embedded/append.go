package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"consentledger/eventstore"
)

type store struct{ *DB }

// Append implements [eventstore.Store].
func (d store) Append(
	ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record,
) (eventstore.Position, error) {
	return d.AppendWith(ctx, eventstore.Change{}, stream, expected, records...)
}

// AppendWith implements [eventstore.Joint].
func (d store) AppendWith(ctx context.Context, c eventstore.Change, stream eventstore.Stream,
	expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
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

	w := &write{change: c, stream: stream, expected: expected, records: records, hint: hint, durable: true,
		done: make(chan struct{})}
	if err := d.bring(ctx, w); err != nil {
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

// Beside implements [eventstore.Joint].
func (d store) Beside(r eventstore.Rows) bool { return r == rows(d) }

// A write is a change of rows, an append, or both, on its way through the lane,
// which sets the last three fields. One that is neither is only there to be synced.
type write struct {
	change   eventstore.Change
	stream   eventstore.Stream
	expected eventstore.Revision
	records  []eventstore.Record
	hint     hint
	behind   *write        // this one is made only if that one was; nil: anyway
	durable  bool          // it is not done before it survives a crash
	done     chan struct{} // closed once it was made, or was not

	actual eventstore.Revision
	last   eventstore.Position
	err    error
}

// made reports whether w was put into a batch. Only the lane calls it, after put.
func (w *write) made() bool { return w.err == nil && w.actual == w.expected }

var errBehind = errors.New("embedded: not written, since what comes before it was not")

// size is about how many bytes w takes in a batch.
func (w *write) size() int {
	n := 400
	for _, r := range w.records {
		n += len(r.Data)
	}
	for _, r := range w.change.Put {
		n += len(r.Key) + len(r.Value)
	}
	return n
}

// groupBytes is how much data a group of the lane holds before it ends early,
// so that a batch fits into the memory table.
const groupBytes = 1 << 20

// writeAll makes writes in their order, by as few batches as it may. Only the
// lane calls it.
func (d *DB) writeAll(writes []*write) {
	for len(writes) > 0 {
		n, size := 0, 0
		for ; n < len(writes) && size < groupBytes; n++ {
			size += writes[n].size()
		}
		d.writeGroup(writes[:n], size)
		writes = writes[n:]
	}
}

// writeGroup makes writes by one batch, and returns once that is made. If one of
// them is to be durable, all are: the end of the sync is the commit point. Who
// was refused is told last too: by then what stood in the way can be read. It
// may never return, see [logger].
func (d *DB) writeGroup(writes []*write, size int) {
	err := d.full()
	if err == nil {
		g := group{d: d, batch: d.batch(size), made: make([]*write, 0, len(writes))}
		for i, w := range writes {
			g.put(w, i+1 < len(writes))
		}
		if g.apply() != nil {
			return // whoever waits sees that the store is dead
		}
	}

	for _, w := range writes {
		if err != nil {
			w.err = err
		}
		close(w.done)
	}
}

// A group is writes that become one batch.
type group struct {
	d     *DB
	batch *pebble.Batch
	made  []*write        // what was put into it
	there map[string]bool // whether a key that the group changed exists
}

// put adds w to the batch if its conditions hold and its stream is as long as it
// expects. More says that others follow, to which this one must have happened.
func (g *group) put(w *write, more bool) {
	w.last = g.d.last
	if w.behind != nil && !w.behind.made() {
		w.err = errBehind
		return
	}
	if w.err = g.check(w.change); w.err != nil {
		return
	}
	if len(w.records) > 0 {
		w.actual, w.err = g.d.length(w.stream, w.hint)
		if w.err != nil || w.actual != w.expected {
			return
		}
	}

	g.made = append(g.made, w)
	g.change(w.change, more)
	if len(w.records) > 0 {
		g.append(w)
	}
}

// append adds the records of w to the batch.
func (g *group) append(w *write) {
	revision := w.expected
	for _, r := range w.records {
		w.last++
		revision++
		putRecord(g.batch, w.last, w.stream, revision, r)
	}
	g.d.last = w.last
	g.d.heads.set(w.stream, revision)
}

// apply makes the batch. An error has killed the store.
func (g *group) apply() error {
	d := g.d
	if slices.ContainsFunc(g.made, func(w *write) bool { return w.durable }) {
		if err := d.sync(g.batch); err != nil {
			return err
		}
		g.tell()
	} else if len(g.made) > 0 {
		if err := d.pebble.Apply(ended(g.batch), pebble.NoSync); err != nil {
			d.die(err)
			return err
		}
	}
	_ = g.batch.Close() // it only gives the memory back

	for _, w := range g.made {
		d.present.follow(w.change)
	}
	return nil
}

// tell tells how many records became durable together.
func (g *group) tell() {
	if g.d.synced == nil {
		return
	}
	records := 0
	for _, w := range g.made {
		records += len(w.records)
	}
	if records > 0 {
		g.d.synced(records)
	}
}

// putRecord writes a record, and where it is, into b.
func putRecord(
	b *pebble.Batch, at eventstore.Position, s eventstore.Stream, rev eventstore.Revision, r eventstore.Record,
) {
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

	p := watermark{wal: wal, position: d.last}
	if seq := b.SeqNum(); seq > 0 {
		p.sequence = uint64(seq) + uint64(b.Count())
	}
	if err := b.SyncWait(); err != nil {
		d.die(fmt.Errorf("sync: %w", err))
		return err
	}

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

// watermarkAfter is how long the lane must have had nothing to do before it
// writes a watermark by itself.
const watermarkAfter = 3 * time.Millisecond

// mark is how far the records are durable.
type mark struct {
	mu        sync.Mutex
	position  eventstore.Position
	watermark watermark
	more      chan struct{} // closed when the position next moves
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

func (m *mark) move(p watermark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.sequence > m.watermark.sequence {
		m.watermark.wal, m.watermark.sequence = p.wal, p.sequence
	}
	if p.position <= m.position {
		return
	}
	m.position, m.watermark.position = p.position, p.position
	if m.more != nil {
		close(m.more)
		m.more = nil
	}
}

func (m *mark) watermarkNow() watermark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.watermark
}
