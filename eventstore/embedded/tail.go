package embedded

import (
	"sync"

	"consentledger/eventstore"
)

// tailLength is how many records a [tail] holds: some 4 MB.
const tailLength = 4096

// tailPage is how many of them lie together.
const tailPage = 256

// tail remembers the last records that became durable. Whoever follows is
// nearly always among them: reading them from Pebble, once for every follower,
// costs as much as reading what they say.
type tail struct {
	mu    sync.RWMutex
	pages [tailLength / tailPage]*page // at their number modulo how many there are
}

// A page is the records of so many positions, as far as they are remembered.
// What was put on it stays: who was given a part of it goes on reading that.
type page struct {
	number  eventstore.Position
	records [tailPage]eventstore.Recorded
}

// at returns the page that a position is on, which may be another's, or nil.
func (t *tail) at(p eventstore.Position) **page {
	return &t.pages[p/tailPage%eventstore.Position(len(t.pages))]
}

// put takes over the records of writes that are durable.
func (t *tail) put(writes []*write) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range writes {
		for i, r := range w.records {
			at := w.last - eventstore.Position(len(w.records)-1-i)
			p := t.at(at)
			if *p == nil || (*p).number != at/tailPage {
				*p = &page{number: at / tailPage}
			}
			(*p).records[at%tailPage] = eventstore.Recorded{Record: r, Stream: w.stream, Revision: w.expected + eventstore.Revision(i) + 1, Position: at}
		}
	}
}

// page returns records from after up to at most end, as far as they lie
// together; or none if the first of them is not remembered. They are shared: do
// not change them.
func (t *tail) page(after, end eventstore.Position) []eventstore.Recorded {
	t.mu.RLock()
	defer t.mu.RUnlock()
	first := after + 1
	p := *t.at(first)
	if p == nil || p.number != first/tailPage {
		return nil
	}
	from, to := first%tailPage, first%tailPage
	for to < tailPage && p.records[to].Position == first+to-from && p.records[to].Position <= end {
		to++
	}
	return p.records[from:to:to]
}
