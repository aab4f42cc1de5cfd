package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"consentledger/eventstore"
)

// pageBytes is how much data a page holds before it ends early. Readers hold
// nothing of Pebble's between two pages.
const pageBytes = 4 << 20

// ReadAll implements [eventstore.Store].
func (d store) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		end, _ := d.mark.now()
		for after < end {
			page, err := d.page(ctx, after, end)
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
				after = r.Position
			}
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
		}
	}
}

// Follow implements [eventstore.Store].
func (d store) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		for {
			end, err := d.beyond(ctx, after)
			if err != nil {
				yield(nil, err)
				return
			}
			page, err := d.page(ctx, after, end)
			if len(page) > 0 {
				after = page[len(page)-1].Position
				if !yield(page, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// beyond waits until a record after position is durable, and returns the last
// that is.
func (d *DB) beyond(ctx context.Context, after eventstore.Position) (eventstore.Position, error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		end, more := d.mark.now()
		if end > after {
			return end, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
		case <-d.quit:
			return 0, ErrClosed
		case <-d.dead:
			return 0, d.deadWith
		}
	}
}

// Head implements [eventstore.Store].
func (d store) Head(ctx context.Context) (eventstore.Position, error) {
	end, _ := d.mark.now()
	return end, ctx.Err()
}

// Barrier implements [eventstore.Store]. No other process has the database
// open, and reads see every append that returned before them.
func (d store) Barrier(ctx context.Context) error { return ctx.Err() }

// page returns records from after up to at most end: as many as fit into one
// page, and what came before an error. Every position must be there.
func (d *DB) page(ctx context.Context, after, end eventstore.Position) (page []eventstore.Recorded, err error) {
	size := 0
	upper := min(end, after+eventstore.MaxBatch)
	page = make([]eventstore.Recorded, 0, upper-after)
	err = d.scan(ctx, recordKey(after+1), recordKey(upper+1), func(key, value []byte) (bool, error) {
		want := after + eventstore.Position(len(page)) + 1
		r, err := d.record(key, value, want)
		if err != nil {
			return false, err
		}
		page = append(page, r)
		size += len(value)
		return size < pageBytes, nil
	})
	if got := after + eventstore.Position(len(page)); err == nil && got < upper && size < pageBytes {
		err = fmt.Errorf("record %d is missing, though record %d is durable", got+1, end)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("embedded: after record %d: %w", after+eventstore.Position(len(page)), err)
	}
	return page, err
}

// record reads a record that must be the one at position want.
func (d *DB) record(key, value []byte, want eventstore.Position) (eventstore.Recorded, error) {
	at, err := parseRecordKey(key)
	if err == nil && at != want {
		err = fmt.Errorf("record %d is missing, %d comes next", want, at)
	}
	if err != nil {
		return eventstore.Recorded{}, err
	}
	r, err := parseRecord(value)
	if err != nil {
		return r, fmt.Errorf("record %d: %w", want, err)
	}
	r.Position = at
	return r, nil
}

// scan calls f with the keys from lower to upper until it says false. The
// bytes are f's only until it returns.
func (d *DB) scan(ctx context.Context, lower, upper []byte, f func(key, value []byte) (bool, error)) error {
	return d.reading(func() (err error) {
		it, err := d.pebble.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			return err
		}
		defer closeInto(it, &err)
		for ok := it.First(); ok; ok = it.Next() {
			value, err := it.ValueAndErr()
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			if more, err := f(it.Key(), value); err != nil || !more {
				return err
			}
		}
		return it.Error()
	})
}

// ReadStream implements [eventstore.Store].
func (d store) ReadStream(
	ctx context.Context, stream eventstore.Stream, after eventstore.Revision,
) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		end, _ := d.mark.now()
		for most := firstPage; ; most = eventstore.MaxBatch {
			page, full, err := d.streamPage(ctx, stream, after, end, most)
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
				after = r.Revision
			}
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			if !full {
				return
			}
		}
	}
}

// ReadBehind implements [eventstore.Joint]. Two questions to the index are a third of what
// an iterator over it costs: that nothing comes next, as mostly, the tables' filters say.
func (d store) ReadBehind(
	ctx context.Context, stream eventstore.Stream, after eventstore.Revision,
) (at eventstore.Position, rest iter.Seq2[eventstore.Recorded, error], err error) {
	at, err = d.place(stream, after)
	if err != nil || at == 0 {
		return 0, none, err
	}
	next, err := d.place(stream, after+1)
	if err != nil || next == 0 {
		return at, none, err
	}
	return at, d.ReadStream(ctx, stream, after), nil
}

// none yields nothing.
func none(func(eventstore.Recorded, error) bool) {}

// place returns where the index has a record of a stream; zero: nowhere, or not where it
// is durable.
func (d *DB) place(stream eventstore.Stream, r eventstore.Revision) (at eventstore.Position, err error) {
	if r == 0 {
		return 0, nil
	}

	end, _ := d.mark.now()
	err = d.reading(func() (err error) {
		value, closer, err := d.pebble.Get(streamKey(stream, r))
		if errors.Is(err, pebble.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		defer closeInto(closer, &err)
		if len(value) != 8 {
			return fmt.Errorf("the index entry holds %x, want a position", value)
		}
		at = eventstore.Position(binary.BigEndian.Uint64(value))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("embedded: stream %s: revision %d: %w", stream, r, err)
	}
	if at > end {
		return 0, nil
	}
	return at, nil
}

// firstPage is how many records of a stream are read at first: who wants only the next
// one of a long history reads no thousand.
const firstPage = 16

// streamPage returns at most so many records of stream after a revision, at most up to
// position end. The index and the records must agree.
func (d *DB) streamPage(
	ctx context.Context, stream eventstore.Stream, after eventstore.Revision, end eventstore.Position, most int,
) (page []eventstore.Recorded, full bool, err error) {
	if after == ^eventstore.Revision(0) {
		return nil, false, nil
	}

	size := 0
	err = d.scan(ctx, streamKey(stream, after+1), afterStream(stream), func(key, value []byte) (bool, error) {
		if len(value) != 8 {
			return false, fmt.Errorf("index entry %x holds %x, want a position", key, value)
		}
		at := eventstore.Position(binary.BigEndian.Uint64(value))
		if at > end {
			return false, nil
		}
		r, err := d.indexed(stream, after+eventstore.Revision(len(page))+1, key, at)
		if err != nil {
			return false, err
		}
		page = append(page, r)
		size += len(r.Data)
		full = size >= pageBytes || len(page) == most
		return !full, nil
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("embedded: stream %s: %w", stream, err)
	}
	return page, full, err
}

// indexed reads the record at a position that the index names.
func (d *DB) indexed(
	stream eventstore.Stream, want eventstore.Revision, key []byte, at eventstore.Position,
) (r eventstore.Recorded, err error) {
	if got, err := parseStreamKey(stream, key); err != nil || got != want {
		return r, fmt.Errorf("revision %d is missing, key %x comes next", want, key)
	}
	value, closer, err := d.pebble.Get(recordKey(at))
	if err != nil {
		return r, fmt.Errorf("revision %d: record %d: %w", want, at, err)
	}
	defer closeInto(closer, &err)
	r, err = d.record(recordKey(at), value, at)
	if err == nil && (r.Stream != stream || r.Revision != want) {
		err = fmt.Errorf("revision %d: record %d is revision %d of stream %s", want, at, r.Revision, r.Stream)
	}
	return r, err
}
