package embedded

import (
	"sync"

	"consentledger/eventstore"
)

// tailLength is how many records a [tail] holds: some 4 MB.
const tailLength = 4096

// tail remembers the last records that became durable. Whoever follows is
// nearly always among them: reading them from Pebble, once for every follower,
// costs as much as reading what they say.
type tail struct {
	mu   sync.RWMutex
	ring []eventstore.Recorded // at the position modulo its length
}

// put takes over the records of writes that are durable.
func (t *tail) put(writes []*write) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ring == nil {
		t.ring = make([]eventstore.Recorded, tailLength)
	}
	for _, w := range writes {
		for i, r := range w.records {
			at := w.last - eventstore.Position(len(w.records)-1-i)
			t.ring[at%tailLength] = eventstore.Recorded{Record: r, Stream: w.stream, Revision: w.expected + eventstore.Revision(i) + 1, Position: at}
		}
	}
}

// page returns the records from after up to at most end, or none if the first
// of them is not remembered.
func (t *tail) page(after, end eventstore.Position) (page []eventstore.Recorded) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	end = min(end, after+eventstore.MaxBatch)
	if t.ring == nil || t.ring[(after+1)%tailLength].Position != after+1 {
		return nil
	}
	page = make([]eventstore.Recorded, 0, end-after)
	for at := after + 1; at <= end && t.ring[at%tailLength].Position == at; at++ {
		page = append(page, t.ring[at%tailLength])
	}
	return page
}
