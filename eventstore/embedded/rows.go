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

// rowSpace is what the key of a row begins with.
const rowSpace = 'v'

func rowKey(key []byte) []byte { return append([]byte{rowSpace}, key...) }

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

// Write implements [eventstore.Rows]. It does not sync: the next append, being
// later in the same log, does.
func (d rows) Write(ctx context.Context, c eventstore.Change) error {
	w := &write{change: c, done: make(chan struct{})}
	if err := d.bring(ctx, w); err != nil {
		return err
	}
	return w.err
}

// change adds a change to the batch. More says that others follow, to which
// this one must have happened.
func (g *group) change(c eventstore.Change, more bool) {
	for _, r := range c.Put {
		op := g.batch.SetDeferred(1+len(r.Key), len(r.Value))
		op.Key[0] = rowSpace
		copy(op.Key[1:], r.Key)
		copy(op.Value, r.Value)
		_ = op.Finish() // fails only in a batch with an index
	}
	for _, key := range c.Delete {
		op := g.batch.DeleteDeferred(1 + len(key))
		op.Key[0] = rowSpace
		copy(op.Key[1:], key)
		_ = op.Finish()
	}
	if !more {
		return
	}

	if g.there == nil {
		g.there = map[string]bool{}
	}
	for _, r := range c.Put {
		g.there[string(r.Key)] = true
	}
	for _, key := range c.Delete {
		g.there[string(key)] = false
	}
}

func (g *group) check(c eventstore.Change) error {
	for _, key := range c.Present {
		if ok, err := g.has(key); err != nil || !ok {
			return errors.Join(err, fmt.Errorf("key %x is missing: %w", key, eventstore.ErrCondition))
		}
	}
	for _, key := range c.Absent {
		if ok, err := g.has(key); err != nil || ok {
			return errors.Join(err, fmt.Errorf("key %x exists: %w", key, eventstore.ErrCondition))
		}
	}
	return nil
}

// has reports whether there is a row once the group so far is made.
func (g *group) has(key []byte) (bool, error) {
	if ok, changed := g.there[string(key)]; changed {
		return ok, nil
	}
	if g.d.present.has(key) {
		return true, nil
	}
	_, ok, err := g.d.get(key)
	return ok, err
}

// Sync implements [eventstore.Rows]. What is synced is all that was written
// before.
func (d rows) Sync(ctx context.Context) error {
	w := &write{durable: true, done: make(chan struct{})}
	if err := d.bring(ctx, w); err != nil {
		return err
	}
	return w.err
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
