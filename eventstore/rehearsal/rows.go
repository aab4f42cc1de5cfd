package rehearsal

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"consentledger/eventstore"
)

var _ eventstore.Rows = (*Rows)(nil)

// Rows are [eventstore.Rows] that are those of others, and what was changed in them.
type Rows struct {
	under eventstore.Rows

	mu      sync.Mutex
	changed map[string][]byte // nil: the row was deleted
}

// OverRows returns Rows over others.
func OverRows(under eventstore.Rows) *Rows { return &Rows{under: under, changed: map[string][]byte{}} }

// Get implements [eventstore.Rows].
func (r *Rows) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.get(ctx, key)
}

func (r *Rows) get(ctx context.Context, key []byte) ([]byte, bool, error) {
	if value, changed := r.changed[string(key)]; changed {
		return bytes.Clone(value), value != nil, ctx.Err()
	}
	return r.under.Get(ctx, key)
}

// Write implements [eventstore.Rows]. What it writes is in memory alone.
func (r *Rows) Write(ctx context.Context, c eventstore.Change) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.check(ctx, c); err != nil {
		return err
	}

	for _, row := range c.Put {
		r.changed[string(row.Key)] = append([]byte{}, row.Value...)
	}
	for _, key := range c.Delete {
		r.changed[string(key)] = nil
	}
	return nil
}

// check returns an error unless the conditions of c hold.
func (r *Rows) check(ctx context.Context, c eventstore.Change) error {
	for _, key := range c.Present {
		switch _, there, err := r.get(ctx, key); {
		case err != nil:
			return err
		case !there:
			return fmt.Errorf("key %x is missing: %w", key, eventstore.ErrCondition)
		}
	}
	for _, key := range c.Absent {
		switch _, there, err := r.get(ctx, key); {
		case err != nil:
			return err
		case there:
			return fmt.Errorf("key %x exists: %w", key, eventstore.ErrCondition)
		}
	}
	return nil
}

// Sync implements [eventstore.Rows]. It has nothing to do.
func (r *Rows) Sync(ctx context.Context) error { return ctx.Err() }

// Purge implements [eventstore.Rows]. It has nothing to do: no file holds what is here.
func (r *Rows) Purge(ctx context.Context, _ ...[]byte) error { return ctx.Err() }

// Scan implements [eventstore.Rows].
func (r *Rows) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	return func(yield func(eventstore.Row, error) bool) {
		own := r.below(string(prefix))
		for row, err := range r.under.Scan(ctx, prefix) {
			if err != nil {
				yield(row, err)
				return
			}
			for len(own) > 0 && bytes.Compare(own[0].Key, row.Key) < 0 {
				if own[0].Value != nil && !yield(own[0], nil) {
					return
				}
				own = own[1:]
			}
			if len(own) > 0 && bytes.Equal(own[0].Key, row.Key) {
				row, own = own[0], own[1:]
			}
			if row.Value != nil && !yield(row, nil) {
				return
			}
		}
		for _, row := range own {
			if row.Value != nil && !yield(row, nil) {
				return
			}
		}
	}
}

// below returns the changed rows whose keys begin with a prefix, in order; a row without
// a value was deleted.
func (r *Rows) below(prefix string) (rows []eventstore.Row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(r.changed)) {
		if strings.HasPrefix(key, prefix) {
			rows = append(rows, eventstore.Row{Key: []byte(key), Value: bytes.Clone(r.changed[key])})
		}
	}
	return rows
}
