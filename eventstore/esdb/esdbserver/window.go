package esdbserver

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"sync"

	"consentledger/eventstore"
)

// A window is a store as a history: what it holds and nothing else. Positions
// are the store's own; revisions count from 0, where the store counts records.
//
// It is kinder with positions than a log is: one at which no record begins is
// the place before the next. There is no harm in it, for a store forgets
// nothing and its positions are never given twice.
type window struct {
	store eventstore.Store

	mu   sync.Mutex
	wake chan struct{} // closed when the store has grown
}

func newWindow(store eventstore.Store) *window {
	return &window{store: store, wake: make(chan struct{})}
}

// watch wakes those who wait for more, until ctx is done.
func (w *window) watch(ctx context.Context) error {
	head, err := w.store.Head(ctx)
	if err != nil {
		return err
	}

	for _, err := range w.store.Follow(ctx, head) {
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		w.mu.Lock()
		close(w.wake)
		w.wake = make(chan struct{})
		w.mu.Unlock()
	}
	return nil
}

func (w *window) grown() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wake
}

func (w *window) forwards(ctx context.Context, from int64, max int) (records []*record, next int64, err error) {
	next = from
	for r, err := range w.store.ReadAll(ctx, eventstore.Position(before(from))) {
		if err != nil {
			return nil, 0, err
		}
		shown := show(r)
		records, next = append(records, shown), shown.position+1
		if len(records) == max {
			break
		}
	}
	return records, next, nil
}

// before is the position that a reader names who wants the record at another.
func before(position int64) int64 { return max(0, position-1) }

// backwards reads forwards through growing stretches before a position: a
// store knows no other way.
func (w *window) backwards(ctx context.Context, position int64, most int) ([]*record, error) {
	end, err := w.end(ctx)
	if err != nil {
		return nil, err
	}
	if position != endOfLog && position > end {
		return nil, errBeyond
	}
	position = min(position, end)

	for stretch := int64(most); ; stretch *= 4 {
		after := max(0, position-1-stretch)
		records, err := w.stretch(ctx, after, position, most)
		if err != nil || len(records) == most || after == 0 {
			return records, err
		}
	}
}

// stretch returns the last records behind after and before position, the last
// one first.
func (w *window) stretch(ctx context.Context, after, position int64, most int) ([]*record, error) {
	var last []*record // a ring, once it is full
	n := 0
	for r, err := range w.store.ReadAll(ctx, eventstore.Position(after)) {
		if err != nil {
			return nil, err
		}
		if int64(r.Position) >= position {
			break
		}
		if n < most {
			last = append(last, show(r))
		} else {
			last[n%most] = show(r)
		}
		n++
	}

	backwards := make([]*record, len(last))
	for i := range backwards {
		backwards[i] = last[(n-1-i)%most]
	}
	return backwards, nil
}

func (w *window) state(ctx context.Context, name string, known int64) (state, error) {
	st := state{last: max(known, 0) - 1}
	for r, err := range w.stream(ctx, name, max(known, 0)) {
		if err != nil {
			return st, err
		}
		st.last = int64(r.Revision) - 1
	}
	return st, nil
}

func (w *window) between(ctx context.Context, name string, first, last int64) ([]*record, error) {
	var records []*record
	if first > last {
		return nil, nil
	}

	for r, err := range w.stream(ctx, name, first) {
		if err != nil {
			return nil, err
		}
		if int64(r.Revision)-1 > last {
			break
		}
		records = append(records, show(r))
	}
	return records, nil
}

// stream yields the records of a stream from a revision on, counted from 0. A
// name that no store takes names nothing.
func (w *window) stream(ctx context.Context, name string, from int64) func(func(eventstore.Recorded, error) bool) {
	if len(name) > 200 {
		return func(func(eventstore.Recorded, error) bool) {}
	}
	return w.store.ReadStream(ctx, eventstore.Stream(name), eventstore.Revision(from))
}

func (w *window) end(ctx context.Context) (int64, error) {
	head, err := w.store.Head(ctx)
	if err != nil {
		return 0, err
	}
	if head >= math.MaxInt64 {
		return 0, errors.New("esdbserver: the store's head lies beyond what this protocol can name")
	}
	return int64(head) + 1, nil
}

// show returns a stored record as this protocol has it. When it was created
// stands in the record itself; where it does not, it is the beginning of time.
func show(r eventstore.Recorded) *record {
	var line struct {
		Recorded int64 `json:"recorded"` // milliseconds since 1970
	}
	isJSON := json.Unmarshal(r.Data, &line) == nil
	const ticksPerMilli = 10_000
	return &record{
		position: int64(r.Position),
		behind:   int64(r.Position) + 1,
		stream:   string(r.Stream),
		revision: int64(r.Revision) - 1,
		id:       uuid(r.ID),
		typ:      r.Type,
		json:     isJSON,
		data:     r.Data,
		created:  line.Recorded * ticksPerMilli,
	}
}
