package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"consentledger/eventstore"
)

type rows struct{ *DB }

func rowKey(key []byte) []byte { return append([]byte{'v'}, key...) }

// Get implements [eventstore.Rows].
func (d rows) Get(ctx context.Context, key []byte) (value []byte, ok bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	err = d.reading(func() error {
		value, ok, err = d.get(key)
		return err
	})
	return value, ok, err
}

func (d *DB) get(key []byte) (_ []byte, ok bool, err error) {
	value, closer, err := d.pebble.Get(rowKey(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("embedded: row: %w", err)
	}
	defer closeInto(closer, &err)
	return bytes.Clone(value), true, nil
}

// Write implements [eventstore.Rows]. It does not sync: the next Append, being
// later in the same log, does.
func (d rows) Write(ctx context.Context, c eventstore.Change) error {
	result := make(chan error, 1)
	if err := d.run(ctx, d.DB.rows, func() { result <- d.change(c) }); err != nil {
		return err
	}
	return <-result
}

// change checks the conditions of c and makes it. Only the rows lane calls it.
func (d *DB) change(c eventstore.Change) error {
	if err := d.check(c); err != nil {
		return err
	}
	b := d.batch()
	for _, r := range c.Put {
		if err := b.Set(rowKey(r.Key), r.Value, nil); err != nil {
			return err
		}
	}
	for _, key := range c.Delete {
		if err := b.Delete(rowKey(key), nil); err != nil {
			return err
		}
	}
	if err := d.pebble.Apply(ended(b), pebble.NoSync); err != nil {
		d.die(err)
		return d.deadWith
	}
	d.present.follow(c)
	return b.Close()
}

func (d *DB) check(c eventstore.Change) error {
	for _, key := range c.Present {
		if d.present.has(key) {
			continue
		}
		if _, ok, err := d.get(key); err != nil || !ok {
			return errors.Join(err, fmt.Errorf("key %x is missing: %w", key, eventstore.ErrCondition))
		}
	}
	for _, key := range c.Absent {
		if _, ok, err := d.get(key); err != nil || ok {
			return errors.Join(err, fmt.Errorf("key %x exists: %w", key, eventstore.ErrCondition))
		}
	}
	return nil
}

// Sync implements [eventstore.Rows].
func (d rows) Sync(ctx context.Context) error {
	done, result := make(chan struct{}), make(chan error, 1)
	if err := d.run(ctx, d.DB.rows, func() { result <- d.apply(d.batch(), 0, done) }); err != nil {
		return err
	}
	if err := <-result; err != nil {
		return err
	}
	return d.wait(ctx, done)
}

// Scan implements [eventstore.Rows]. It sees the first 1000 rows as they are at
// one moment, the next 1000 at a later one, and so on.
func (d rows) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	return func(yield func(eventstore.Row, error) bool) {
		lower, upper := rowKey(prefix), after(rowKey(prefix))
		for {
			page, full, err := d.rowPage(ctx, lower, upper)
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if err != nil {
				yield(eventstore.Row{}, err)
				return
			}
			if !full {
				return
			}
			lower = append(rowKey(page[len(page)-1].Key), 0)
		}
	}
}

func (d *DB) rowPage(ctx context.Context, lower, upper []byte) (page []eventstore.Row, full bool, err error) {
	size := 0
	err = d.scan(ctx, lower, upper, func(key, value []byte) (bool, error) {
		page = append(page, eventstore.Row{Key: bytes.Clone(key[1:]), Value: bytes.Clone(value)})
		size += len(key) + len(value)
		full = size >= pageBytes || len(page) == eventstore.MaxBatch
		return !full, nil
	})
	return page, full, err
}

// after returns the first key that does not begin with prefix and is greater.
// A prefix here begins with 'v', so there is one.
func after(prefix []byte) []byte {
	end := bytes.TrimRight(prefix, "\xff")
	end = bytes.Clone(end)
	end[len(end)-1]++
	return end
}
