package followup

import (
	"container/heap"
	"context"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"

	"go.opentelemetry.io/otel/trace"
)

// A timetable is what is to be done, by when. A key has one entry. When to warn of what is
// owed does not stand here, but in the rows of the [shelf].
type timetable struct {
	heap  entries
	byKey map[string]*entry
	count uint64
	cause *trace.SpanContext // in which trace that was made which is learned now; nil: in none
}

// An entry is one thing to be done.
type entry struct {
	key    string
	todo   followUp
	due    deadline.Instant
	number uint64 // of what is due at once, the first is done first
	place  int    // in the heap
	cause  *trace.SpanContext
}

// A followUp is what is to be done on a stream.
type followUp interface {
	on() ident.StreamID
	do(ctx context.Context, r *Process, due deadline.Instant) error
}

// A call is a followUp of few words.
type call struct {
	stream ident.StreamID
	f      func(context.Context) error
}

func (c call) on() ident.StreamID { return c.stream }

func (c call) do(ctx context.Context, _ *Process, _ deadline.Instant) error { return c.f(ctx) }

// Len returns how many entries wait.
func (t *timetable) Len() int { return len(t.heap) }

// add puts an entry in, in the place of an older one of the same key.
func (t *timetable) add(key string, due deadline.Instant, stream ident.StreamID, f func(context.Context) error) {
	t.put(key, due, call{stream, f})
}

func (t *timetable) put(key string, due deadline.Instant, todo followUp) {
	t.remove(key)
	if t.byKey == nil {
		t.byKey = map[string]*entry{}
	}
	t.count++
	e := &entry{key: key, todo: todo, due: due, number: t.count, cause: t.cause}
	t.byKey[key] = e
	heap.Push(&t.heap, e)
}

func (t *timetable) has(key string) bool { return t.byKey[key] != nil }

func (t *timetable) remove(key string) {
	if e, ok := t.byKey[key]; ok {
		heap.Remove(&t.heap, e.place)
		delete(t.byKey, key)
	}
}

// next returns when the first entry is due.
func (t *timetable) next() (deadline.Instant, bool) {
	if len(t.heap) == 0 {
		return 0, false
	}
	return t.heap[0].due, true
}

// pop takes out what is due by now, at most n entries, the first first.
func (t *timetable) pop(now deadline.Instant, n int) []*entry {
	var list []*entry
	for len(list) < n {
		if due, ok := t.next(); !ok || due > now {
			break
		}
		list = append(list, t.heap[0])
		t.remove(t.heap[0].key)
	}
	return list
}

type entries []*entry

func (h entries) Len() int { return len(h) }

func (h entries) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].number < h[j].number
}

func (h entries) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *entries) Push(x any) {
	e := x.(*entry)
	e.place = len(*h)
	*h = append(*h, e)
}

func (h *entries) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
