// Package migration copies records and rows from one store to another.
//
// Records are copied in the order of the log, with their ids, bytes and revisions
// as they are. What is there already has to be a beginning of what is copied, so a
// copy that was cut off anywhere goes on where it ended. Positions are the target's
// own, and may differ.
//
// Nobody else may write to either side meanwhile.
package migration

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"unicode/utf8"

	"consentledger/eventstore"
)

// A DifferentError says that the target holds another record than the source.
type DifferentError struct {
	Number int64 // of the record, from 1
	What   string
}

func (e *DifferentError) Error() string {
	return fmt.Sprintf("record %d of the target is not that of the source: %s", e.Number, e.What)
}

// Check returns an error if not every store may take a record: it goes by the
// narrowest bounds that any of them has.
func Check(r eventstore.Recorded) error {
	if err := eventstore.CheckBounds(r.Stream, []eventstore.Record{r.Record}); err != nil {
		return err
	}
	if !utf8.ValidString(string(r.Stream)) || !utf8.ValidString(r.Type) {
		return fmt.Errorf("stream %q, type %q: not every store has names that are not UTF-8", r.Stream, r.Type)
	}
	return nil
}

// A cursor reads a store's records one by one. Whoever has one closes it.
type cursor struct {
	next func() (eventstore.Recorded, error, bool)
	stop func()
}

func read(ctx context.Context, s eventstore.Store, after eventstore.Position) cursor {
	next, stop := iter.Pull2(s.ReadAll(ctx, after))
	return cursor{next, stop}
}

// Compare reads both stores from their first record, and yields pairs: each record
// of the target, and that of the source, which must be the same but for its position.
// It ends behind the target's last record.
func Compare(ctx context.Context, from, to eventstore.Store) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		source := read(ctx, from, 0)
		defer source.stop()
		n := int64(0)
		for there, err := range to.ReadAll(ctx, 0) {
			if err != nil {
				yield(Pair{}, fmt.Errorf("the target: %w", err))
				return
			}
			n++
			here, err, more := source.next()
			switch {
			case err != nil:
				yield(Pair{}, fmt.Errorf("the source: %w", err))
				return
			case !more:
				yield(Pair{}, &DifferentError{n, "the source has no such record"})
				return
			}
			if what := differs(here, there); what != "" {
				yield(Pair{}, &DifferentError{n, what})
				return
			}
			if !yield(Pair{here, there}, nil) {
				return
			}
		}
	}
}

// A Pair is one record, where it was and where it is.
type Pair struct{ Was, Is eventstore.Recorded }

// differs says in what two records differ, but for their positions; empty: in nothing.
// It tells no byte of them.
func differs(a, b eventstore.Recorded) string {
	switch {
	case a.Stream != b.Stream:
		return "it is of another stream"
	case a.Revision != b.Revision:
		return fmt.Sprintf("its revision is %d, want %d", b.Revision, a.Revision)
	case a.ID != b.ID:
		return fmt.Sprintf("its id is %s, want %s", b.ID, a.ID)
	case a.Type != b.Type:
		return "it has another type"
	case !bytes.Equal(a.Data, b.Data):
		return "it has other bytes"
	}
	return ""
}

// Bounds of what is handed to the target at once.
const (
	batchRecords = 2000
	batchBytes   = 4 << 20
)

// Records copies the records that the target does not have yet. It calls done with
// how many it has, now and then.
func Records(ctx context.Context, from, to eventstore.Store, done func(n int64)) error {
	var last eventstore.Position // of the source, that the target has
	n := int64(0)
	for p, err := range Compare(ctx, from, to) {
		if err != nil {
			return err
		}
		last = p.Was.Position
		n++
	}
	done(n)

	var batch []eventstore.Recorded
	size := 0
	hand := func() error {
		if len(batch) == 0 {
			return nil
		}
		if _, err := eventstore.Import(ctx, to, batch...); err != nil {
			return fmt.Errorf("the target, behind record %d: %w", n, err)
		}
		n += int64(len(batch))
		done(n)
		batch, size = nil, 0
		return nil
	}
	for r, err := range from.ReadAll(ctx, last) {
		if err != nil {
			return fmt.Errorf("the source: %w", err)
		}
		if batch, size = append(batch, r), size+len(r.Data); len(batch) < batchRecords && size < batchBytes {
			continue
		}
		if err := hand(); err != nil {
			return err
		}
	}
	return hand()
}

// rowBytes is how much of rows is written at once.
const rowBytes = 1 << 20

// Rows makes the target's rows those of the source, but for those that keep leaves
// out: these are deleted in the target. It returns how many there are, and calls done
// with it now and then. They are durable on return.
func Rows(
	ctx context.Context, from, to eventstore.Rows, keep func(key []byte) bool, done func(n int64),
) (n int64, err error) {
	// First what the target has and should not: a copy that was cut off may have left
	// it, and the source may have changed since.
	if err := sweep(ctx, from, to, keep); err != nil {
		return 0, err
	}

	var c eventstore.Change
	size := 0
	for row, err := range from.Scan(ctx, nil) {
		if err != nil {
			return n, fmt.Errorf("rows of the source: %w", err)
		}
		if !keep(row.Key) {
			continue
		}
		n++
		c.Put = append(c.Put, eventstore.Row{Key: bytes.Clone(row.Key), Value: bytes.Clone(row.Value)})
		if size += len(row.Key) + len(row.Value); size < rowBytes {
			continue
		}
		if err := to.Write(ctx, c); err != nil {
			return n, fmt.Errorf("rows of the target: %w", err)
		}
		c, size = eventstore.Change{}, 0
		done(n)
	}
	if err := to.Write(ctx, c); err != nil {
		return n, fmt.Errorf("rows of the target: %w", err)
	}
	if err := to.Sync(ctx); err != nil {
		return n, fmt.Errorf("rows of the target: %w", err)
	}
	return n, nil
}

// sweep deletes what the target has and the source has not. What it deletes may be of
// somebody who was erased since it was copied, so it is purged, unless it is what the
// target alone has.
func sweep(ctx context.Context, from, to eventstore.Rows, keep func(key []byte) bool) error {
	next, stop := iter.Pull2(kept(from.Scan(ctx, nil), keep))
	defer stop()
	here, err, more := next()

	var gone, purge [][]byte
	for row, failed := range to.Scan(ctx, nil) {
		if failed != nil {
			return fmt.Errorf("rows of the target: %w", failed)
		}
		for err == nil && more && bytes.Compare(here.Key, row.Key) < 0 {
			here, err, more = next()
		}
		if err != nil {
			return fmt.Errorf("rows of the source: %w", err)
		}
		if !more || !bytes.Equal(here.Key, row.Key) {
			gone = append(gone, bytes.Clone(row.Key))
			if keep(row.Key) {
				purge = append(purge, bytes.Clone(row.Key[:min(len(row.Key), 2)]))
			}
		}
	}
	for some := range slices.Chunk(gone, 1000) {
		if err := to.Write(ctx, eventstore.Change{Delete: some}); err != nil {
			return fmt.Errorf("rows of the target: %w", err)
		}
	}
	if purge = slices.CompactFunc(purge, bytes.Equal); len(purge) == 0 {
		return nil
	}
	if err := to.Purge(ctx, purge...); err != nil {
		return fmt.Errorf("rows of the target: %w", err)
	}
	return nil
}

// SameRows returns an error unless both have the same rows, as far as keep wants
// them. No error holds a byte of a value.
func SameRows(ctx context.Context, from, to eventstore.Rows, keep func(key []byte) bool) error {
	next, stop := iter.Pull2(kept(to.Scan(ctx, nil), keep))
	defer stop()
	for row, err := range kept(from.Scan(ctx, nil), keep) {
		if err != nil {
			return fmt.Errorf("rows of the source: %w", err)
		}
		other, err, more := next()
		switch {
		case err != nil:
			return fmt.Errorf("rows of the target: %w", err)
		case !more:
			return fmt.Errorf("a row of the source that begins with %.2q is not in the target", row.Key)
		case !bytes.Equal(row.Key, other.Key):
			return fmt.Errorf("where the source has a row that begins with %.2q the target has one that begins with "+
				"%.2q", row.Key, other.Key)
		case !bytes.Equal(row.Value, other.Value):
			return fmt.Errorf("a row of the target that begins with %.2q is not as in the source", row.Key)
		}
	}

	switch other, err, more := next(); {
	case err != nil:
		return fmt.Errorf("rows of the target: %w", err)
	case more:
		return fmt.Errorf("the target has a row %.2q... that the source has not", other.Key)
	}
	return nil
}

// kept yields the rows that keep wants.
func kept(rows iter.Seq2[eventstore.Row, error], keep func(key []byte) bool) iter.Seq2[eventstore.Row, error] {
	return func(yield func(eventstore.Row, error) bool) {
		for row, err := range rows {
			if (err != nil || keep(row.Key)) && !yield(row, err) {
				return
			}
		}
	}
}
