package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"sort"
	"sync"

	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// knownAt finds the longest prefix of the log that was recorded by a moment.
// Times may run a little behind positions, so the prefix ends before the first
// record that is later, whatever stands behind it.
//
// Every few hundred records it sets a mark, which says how late the newest
// record is up to there. An answer reads from the last mark that is not too late
// to the record that is. Marks are kept as rows, so that nobody reads the log from
// its beginning twice; they are derived, and made anew if they are gone or of
// another log.
type knownAt struct {
	rows eventstore.Rows // nil: marks are in memory only

	mu     sync.Mutex
	loaded bool
	marks  []mark
	stored int // how many of the marks are in rows

	// The log is read up to here, and this is the newest time in it.
	read   eventstore.Position
	newest deadline.Instant
	since  int // records since the last mark
}

// A mark is a record, and what is known of the log up to it.
type mark struct {
	record eventstore.EventID
	before eventstore.Position // the position before the record
	newest deadline.Instant    // of the records up to this one
}

// markEvery is how many records come after a mark until the next. It is the same
// wherever the log is read from, so all processes set the same marks. Rows are
// found by it: another number needs another key.
const markEvery = 512

// position returns the last position of the prefix; zero if it is empty.
func (k *knownAt) position(
	ctx context.Context, store eventstore.Store, at deadline.Instant,
) (eventstore.Position, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.load(ctx, store); err != nil {
		return 0, err
	}
	if err := k.readPast(ctx, store, at); err != nil {
		return 0, err
	}
	if k.newest <= at {
		return k.read, nil
	}
	last, same, err := k.scan(ctx, store, at)
	if err != nil || same {
		return last, err
	}

	// The record of a mark is another: the log is not the one that was read.
	if err := k.forget(ctx); err != nil {
		return 0, err
	}
	if err := k.readPast(ctx, store, at); err != nil {
		return 0, err
	}
	if k.newest <= at {
		return k.read, nil
	}
	last, same, err = k.scan(ctx, store, at)
	if err == nil && !same {
		err = fmt.Errorf("the log changes while it is read")
	}
	return last, err
}

// readPast reads the log as far as a record that is later than the moment, and no
// further.
func (k *knownAt) readPast(ctx context.Context, store eventstore.Store, at deadline.Instant) error {
	if k.newest > at {
		return nil
	}

	for r, err := range store.ReadAll(ctx, k.read) {
		if err == nil {
			err = k.note(r)
		}
		if err != nil {
			return err
		}
		if k.newest > at {
			break
		}
	}

	k.save(ctx)
	return nil
}

// note takes the record that comes next.
func (k *knownAt) note(r eventstore.Recorded) error {
	at, err := codec.RecordedAt(r)
	if err != nil {
		return err
	}
	k.newest = max(k.newest, at)
	if k.since++; k.since == markEvery {
		k.marks, k.since = append(k.marks, mark{r.ID, k.read, k.newest}), 0
	}
	k.read = r.Position
	return nil
}

// scan reads from the last mark that is not later than the moment, and reports
// whether its record is still the one that was marked.
func (k *knownAt) scan(
	ctx context.Context, store eventstore.Store, at deadline.Instant,
) (last eventstore.Position, same bool, err error) {
	i := sort.Search(len(k.marks), func(i int) bool { return k.marks[i].newest > at }) - 1
	same = i < 0
	if !same {
		last = k.marks[i].before
	}

	for r, err := range store.ReadAll(ctx, last) {
		if err != nil {
			return 0, false, err
		}
		if !same {
			if same = r.ID == k.marks[i].record; !same {
				return 0, false, nil
			}
		}
		recorded, err := codec.RecordedAt(r)
		if err != nil {
			return 0, false, err
		}
		if recorded > at {
			break
		}
		last = r.Position
	}
	return last, same, nil
}

// follow sets marks as the log grows, until ctx is done.
func (k *knownAt) follow(ctx context.Context, l *Ledger) error {
	for {
		k.mu.Lock()
		err := k.load(ctx, l.store)
		from := k.read
		k.mu.Unlock()
		if err != nil {
			return err
		}
		for batch, err := range l.FollowRecords(ctx, from) {
			if err != nil {
				return err
			}
			from, err = k.hear(ctx, from, batch)
			if err != nil {
				return err
			}
			if from == 0 {
				break // what was known was forgotten meanwhile
			}
		}
	}
}

// hear takes records that come after those up to from, as far as they are news.
// It returns up to where they are known; zero: the log was forgotten meanwhile.
func (k *knownAt) hear(
	ctx context.Context, from eventstore.Position, batch []eventstore.Recorded,
) (eventstore.Position, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.read < from {
		return 0, nil
	}

	for _, r := range batch {
		if r.Position <= k.read {
			continue
		}
		if err := k.note(r); err != nil {
			return 0, err
		}
	}

	k.save(ctx)
	return batch[len(batch)-1].Position, nil
}

// The rows of marks: "k/", a version and the number of the row, and in it the
// marks that fill it. All numbers are big-endian.
const (
	markRows    = "k/1"
	marksInARow = 256
	markBytes   = 16 + 8 + 8
)

// load reads the marks that are kept, once, and holds the last against the log.
func (k *knownAt) load(ctx context.Context, store eventstore.Store) error {
	if k.loaded || k.rows == nil {
		return nil
	}

	for row, err := range k.rows.Scan(ctx, []byte(markRows)) {
		if err != nil {
			return fmt.Errorf("marks of the log: %w", err)
		}
		for b := row.Value; len(b) >= markBytes; b = b[markBytes:] {
			k.marks = append(k.marks, mark{
				record: eventstore.EventID(b), before: eventstore.Position(binary.BigEndian.Uint64(b[16:])),
				newest: deadline.Instant(binary.BigEndian.Uint64(b[24:])),
			})
		}
	}

	k.stored, k.loaded = len(k.marks), true
	if len(k.marks) == 0 {
		return nil
	}

	last := k.marks[len(k.marks)-1]
	for r, err := range store.ReadAll(ctx, last.before) {
		if err != nil {
			k.marks, k.stored, k.loaded = nil, 0, false
			return err
		}
		if r.ID == last.record {
			k.read, k.newest = r.Position, last.newest
			return nil
		}
		break
	}
	return k.forget(ctx)
}

// forget throws all marks away. Rows that could not be deleted are found to be of
// another log by the next that loads them.
func (k *knownAt) forget(ctx context.Context) error {
	k.marks, k.stored, k.read, k.newest, k.since = nil, 0, 0, 0, 0
	if k.rows == nil {
		return nil
	}
	var c eventstore.Change
	for row, err := range k.rows.Scan(ctx, []byte(markRows)) {
		if err != nil {
			return fmt.Errorf("marks of the log: %w", err)
		}
		c.Delete = append(c.Delete, row.Key)
	}
	_ = k.rows.Write(ctx, c)
	return ctx.Err()
}

// save writes the rows of marks that are new. Those that cannot be written, as on
// a full disk, are written with the next: no answer waits for them.
func (k *knownAt) save(ctx context.Context) {
	if k.rows == nil || len(k.marks) == k.stored {
		return
	}

	var c eventstore.Change
	for i := k.stored / marksInARow * marksInARow; i < len(k.marks); i += marksInARow {
		var b []byte
		for _, m := range k.marks[i:min(i+marksInARow, len(k.marks))] {
			b = append(b, m.record[:]...)
			b = binary.BigEndian.AppendUint64(b, uint64(m.before))
			b = binary.BigEndian.AppendUint64(b, uint64(m.newest))
		}
		c.Put = append(c.Put, eventstore.Row{Key: markKey(i), Value: b})
	}
	if err := k.rows.Write(ctx, c); err == nil {
		k.stored = len(k.marks)
	}
}

func markKey(i int) []byte {
	return binary.BigEndian.AppendUint32([]byte(markRows), uint32(i/marksInARow))
}

// KeepMarks sets marks in the log as it grows, so that what was known at a moment
// is found without reading it again, until ctx is done: then its error is
// ctx.Err(). Without it the first question reads on from the last mark.
func (l *Ledger) KeepMarks(ctx context.Context) error {
	return l.known.follow(ctx, l)
}
