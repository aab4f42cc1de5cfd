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
	if err := d.Writable(); err != nil {
		return err
	}

	return d.reading(func() error {
		done := make(chan error, 1)
		go d.guard(func() { done <- d.purge(ctx, prefixes) })
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-d.quit:
			return ErrClosed // a full disk may keep Pebble from ending it
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
