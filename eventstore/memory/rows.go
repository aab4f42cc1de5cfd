package memory

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"consentledger/eventstore"
)

var _ eventstore.Rows = (*Rows)(nil)

// Rows is an [eventstore.Rows] that forgets everything when it goes away. The
// zero Rows is empty and ready.
type Rows struct {
	mu     sync.Mutex
	values map[string][]byte // a value never changes, it is replaced
	keys   []string          // in order, once tidy has run; may name deleted keys
	fresh  []string          // put since tidy last ran
}

// Get implements [eventstore.Rows].
func (r *Rows) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	value, ok := r.values[string(key)]
	return bytes.Clone(value), ok, ctx.Err()
}

// Write implements [eventstore.Rows].
func (r *Rows) Write(ctx context.Context, c eventstore.Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.check(c); err != nil {
		return err
	}
	if r.values == nil {
		r.values = make(map[string][]byte)
	}

	for _, row := range c.Put {
		key := string(row.Key)
		if _, ok := r.values[key]; !ok {
			r.fresh = append(r.fresh, key)
		}
		r.values[key] = append([]byte{}, row.Value...)
	}

	for _, key := range c.Delete {
		delete(r.values, string(key))
	}
	return nil
}

// check returns an error unless the conditions of c hold.
func (r *Rows) check(c eventstore.Change) error {
	for _, key := range c.Present {
		if _, ok := r.values[string(key)]; !ok {
			return fmt.Errorf("key %x is missing: %w", key, eventstore.ErrCondition)
		}
	}
	for _, key := range c.Absent {
		if _, ok := r.values[string(key)]; ok {
			return fmt.Errorf("key %x exists: %w", key, eventstore.ErrCondition)
		}
	}
	return nil
}

// Sync implements [eventstore.Rows]. It has nothing to do.
func (r *Rows) Sync(ctx context.Context) error { return ctx.Err() }

// Purge implements [eventstore.Rows]: what is deleted is nowhere.
func (r *Rows) Purge(ctx context.Context, _ ...[]byte) error { return ctx.Err() }

// Scan implements [eventstore.Rows]. It yields the rows as they were when it
// began.
func (r *Rows) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	return func(yield func(eventstore.Row, error) bool) {
		for _, row := range r.under(string(prefix)) {
			if err := ctx.Err(); err != nil {
				yield(eventstore.Row{}, err)
				return
			}
			if !yield(eventstore.Row{Key: row.Key, Value: bytes.Clone(row.Value)}, nil) {
				return
			}
		}
	}
}

// under returns the rows whose key begins with prefix, in order.
func (r *Rows) under(prefix string) (rows []eventstore.Row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tidy()
	first, _ := slices.BinarySearch(r.keys, prefix)
	for _, key := range r.keys[first:] {
		if !strings.HasPrefix(key, prefix) {
			break
		}
		if value, ok := r.values[key]; ok {
			rows = append(rows, eventstore.Row{Key: []byte(key), Value: value})
		}
	}
	return rows
}

// tidy brings the fresh keys into order and drops the deleted ones.
func (r *Rows) tidy() {
	if len(r.fresh) == 0 {
		return
	}
	r.keys = append(r.keys, r.fresh...)
	r.fresh = nil
	slices.Sort(r.keys)
	r.keys = slices.Compact(r.keys)
	r.keys = slices.DeleteFunc(r.keys, func(key string) bool {
		_, ok := r.values[key]
		return !ok
	})
}
