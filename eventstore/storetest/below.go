package storetest

import (
	"context"
	"iter"

	"consentledger/eventstore"
)

// Below returns the rows whose keys begin with a prefix as rows of their own, without
// it: tests that are given prefixes of their own may share rows, as one server's.
func Below(rows eventstore.Rows, prefix string) eventstore.Rows { return below{rows, prefix} }

type below struct {
	rows   eventstore.Rows
	prefix string
}

func (b below) key(key []byte) []byte { return append([]byte(b.prefix), key...) }

func (b below) keys(keys [][]byte) (all [][]byte) {
	for _, key := range keys {
		all = append(all, b.key(key))
	}
	return all
}

func (b below) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	return b.rows.Get(ctx, b.key(key))
}

func (b below) Write(ctx context.Context, c eventstore.Change) error {
	change := eventstore.Change{Present: b.keys(c.Present), Absent: b.keys(c.Absent), Delete: b.keys(c.Delete)}
	for _, r := range c.Put {
		change.Put = append(change.Put, eventstore.Row{Key: b.key(r.Key), Value: r.Value})
	}
	return b.rows.Write(ctx, change)
}

func (b below) Sync(ctx context.Context) error { return b.rows.Sync(ctx) }

func (b below) Purge(ctx context.Context, prefixes ...[]byte) error {
	return b.rows.Purge(ctx, b.keys(prefixes)...)
}

func (b below) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	return func(yield func(eventstore.Row, error) bool) {
		for r, err := range b.rows.Scan(ctx, b.key(prefix)) {
			if err == nil {
				r.Key = r.Key[len(b.prefix):]
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
