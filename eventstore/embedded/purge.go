package embedded

import (
	"bytes"
	"context"
	"fmt"
)

// Purge implements [eventstore.Rows]. What is in memory is written as a table,
// and the tables that hold keys below the prefixes are written anew without what
// was deleted. Pebble deletes the old ones a moment later. The write-ahead logs
// that the rows once came by are used again as they are, or deleted by the next
// Open: until then they may hold what was deleted.
func (d rows) Purge(ctx context.Context, prefixes ...[]byte) error {
	return d.reading(func() error {
		done := make(chan error, 1)
		go func() { done <- d.purge(ctx, prefixes) }()
		select {
		case err := <-done:
			return err
		case <-d.dead:
			return d.deadWith
		}
	})
}

func (d *DB) purge(ctx context.Context, prefixes [][]byte) error {
	if err := d.pebble.Flush(); err != nil {
		return fmt.Errorf("embedded: purge: %w", err)
	}
	for _, p := range prefixes {
		from := rowKey(p)
		to := append(bytes.Clone(from), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
		if err := d.pebble.Compact(ctx, from, to, false); err != nil {
			return fmt.Errorf("embedded: purge: %w", err)
		}
	}
	return nil
}
