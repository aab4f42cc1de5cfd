package embedded

import (
	"sync"

	"consentledger/eventstore"
	"consentledger/eventstore/pages"
)

// tail remembers the last records that became durable, some 4 MB of them.
// Whoever follows is nearly always among them: reading them from Pebble, once for
// every follower, costs as much as reading what they say.
type tail struct {
	mu   sync.RWMutex
	ring pages.Ring[eventstore.Recorded]
}

// put takes over the records of writes that are durable.
func (t *tail) put(writes []*write) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range writes {
		for i, r := range w.records {
			at := w.last - eventstore.Position(len(w.records)-1-i)
			t.ring.Open(at).Items[pages.Index(at)] = eventstore.Recorded{Record: r, Stream: w.stream, Revision: w.expected + eventstore.Revision(i) + 1, Position: at}
		}
	}
}

// page returns records from after up to at most end, as far as they lie
// together; or none if the first of them is not remembered. They are shared: do
// not change them.
func (t *tail) page(after, end eventstore.Position) []eventstore.Recorded {
	t.mu.RLock()
	defer t.mu.RUnlock()
	p := t.ring.At(after + 1)
	if p == nil {
		return nil
	}
	from := pages.Index(after + 1)
	to := from
	for next := after + 1; to < pages.Length && next <= end && p.Items[to].Position == next; next++ {
		to++
	}
	return p.Items[from:to:to]
}
