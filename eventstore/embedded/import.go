package embedded

import (
	"context"
	"fmt"

	"consentledger/eventstore"
)

var _ eventstore.Importer = store{}

// Import implements [eventstore.Importer]: its runs stand in the lane one behind the
// other, and are made by as few batches as they may.
func (d store) Import(ctx context.Context, records ...eventstore.Recorded) (eventstore.Position, error) {
	runs, err := eventstore.Runs(records)
	if err != nil {
		return 0, err
	}
	if err := d.alive(ctx); err != nil {
		return 0, err
	}

	writes := make([]*write, 0, len(runs))
	for _, r := range runs {
		hint, err := d.look(r.Stream)
		if err != nil {
			return 0, fmt.Errorf("embedded: stream %s: %w", r.Stream, err)
		}
		w := &write{stream: r.Stream, expected: r.Expected, records: r.Records, hint: hint, durable: true,
			done: make(chan struct{})}
		if len(writes) > 0 {
			w.behind = writes[len(writes)-1]
		}
		writes = append(writes, w)
	}
	if !d.lane.add(writes...) {
		return 0, ErrClosed
	}

	var last eventstore.Position
	for _, w := range writes {
		if err := d.wait(ctx, w.done); err != nil {
			return 0, err
		}
		switch {
		case w.err != nil:
			return 0, w.err
		case w.actual != w.expected:
			return 0, &eventstore.ConflictError{Stream: w.stream, Expected: w.expected, Actual: w.actual}
		}
		last = w.last
	}
	return last, nil
}
