package react

import (
	"container/heap"
	"context"

	"consentledger/domain"
)

// A timetable is what is to be done, by when. A key has one entry.
type timetable struct {
	heap  entries
	byKey map[string]*entry
}

type entry struct {
	key   string
	due   domain.Instant
	do    func(context.Context) error
	place int // in the heap
}

// Len returns how many entries wait.
func (t *timetable) Len() int { return len(t.heap) }

// add puts an entry in, in the place of an older one of the same key.
func (t *timetable) add(key string, due domain.Instant, do func(context.Context) error) {
	t.remove(key)
	if t.byKey == nil {
		t.byKey = map[string]*entry{}
	}
	e := &entry{key: key, due: due, do: do}
	t.byKey[key] = e
	heap.Push(&t.heap, e)
}

func (t *timetable) remove(key string) {
	if e, ok := t.byKey[key]; ok {
		heap.Remove(&t.heap, e.place)
		delete(t.byKey, key)
	}
}

// next returns when the first entry is due.
func (t *timetable) next() (domain.Instant, bool) {
	if len(t.heap) == 0 {
		return 0, false
	}
	return t.heap[0].due, true
}

// pop takes out the first entry that is due by now.
func (t *timetable) pop(now domain.Instant) (func(context.Context) error, bool) {
	if due, ok := t.next(); !ok || due > now {
		return nil, false
	}
	e := t.heap[0]
	t.remove(e.key)
	return e.do, true
}

type entries []*entry

func (h entries) Len() int           { return len(h) }
func (h entries) Less(i, j int) bool { return h[i].due < h[j].due }
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
	e := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return e
}
