package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"consentledger/eventstore"

	"github.com/cockroachdb/pebble/v2"
)

// ReadAt implements [eventstore.Store].
func (d store) ReadAt(ctx context.Context, positions ...eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		end, _ := d.mark.now()
		for len(positions) > 0 {
			page, looked, err := d.pick(ctx, positions, end)
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			positions = positions[looked:]
		}
	}
}

// pick returns the records at the first of some positions, up to end and as
// many as fit into one page, and at how many positions it looked.
func (d *DB) pick(
	ctx context.Context, positions []eventstore.Position, end eventstore.Position,
) (page []eventstore.Recorded, looked int, err error) {
	size := 0
	err = d.reading(func() (err error) {
		it, err := d.pebble.NewIter(&pebble.IterOptions{LowerBound: recordKey(0), UpperBound: recordKey(end + 1)})
		if err != nil {
			return err
		}
		defer closeInto(it, &err)

		for ; looked < len(positions) && size < pageBytes; looked++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			want := positions[looked]
			if !it.SeekGE(recordKey(want)) {
				looked = len(positions)
				return it.Error()
			}
			if at, err := parseRecordKey(it.Key()); err != nil || at != want {
				continue // what is no key of ours is ReadAll's to report
			}
			value, err := it.ValueAndErr()
			if err != nil {
				return fmt.Errorf("record %d: %w", want, err)
			}
			r, err := d.record(it.Key(), value, want)
			if err != nil {
				return err
			}
			page = append(page, r)
			size += len(value)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("embedded: %w", err)
	}
	return page, looked, err
}
