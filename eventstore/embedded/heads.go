package embedded

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"consentledger/eventstore"
)

// headsPerAge is how many streams an age of [heads] holds: some 10 MB each.
const headsPerAge = 50_000

// heads remembers how long streams are. It forgets those that were not used
// for a whole age.
type heads struct {
	mu         sync.Mutex
	age        uint64
	young, old map[eventstore.Stream]eventstore.Revision
}

// A hint is a stream's length as read at some age.
type hint struct {
	revision eventstore.Revision
	age      uint64
}

func (h *heads) get(s eventstore.Stream) (eventstore.Revision, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r, ok := h.young[s]; ok {
		return r, true
	}
	r, ok := h.old[s]
	if ok {
		h.put(s, r)
	}
	return r, ok
}

func (h *heads) set(s eventstore.Stream, r eventstore.Revision) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put(s, r)
}

// put is set for those that hold mu.
func (h *heads) put(s eventstore.Stream, r eventstore.Revision) {
	if h.young == nil || len(h.young) >= headsPerAge {
		h.old, h.young = h.young, make(map[eventstore.Stream]eventstore.Revision)
		h.age++
	}
	h.young[s] = r
}

func (h *heads) now() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.age
}

// look returns how long stream is unless heads knows. It may be called outside
// the lane: what is appended meanwhile is found in heads, since nothing
// is forgotten within one age.
func (d *DB) look(s eventstore.Stream) (h hint, err error) {
	if _, ok := d.heads.get(s); ok {
		return hint{}, nil
	}
	h.age = d.heads.now()
	err = d.reading(func() error { h.revision, err = d.streamLength(s); return err })
	return h, err
}

// length returns how long stream is. Only the lane calls it.
func (d *DB) length(s eventstore.Stream, h hint) (eventstore.Revision, error) {
	if r, ok := d.heads.get(s); ok {
		return r, nil
	}
	if h.age > 0 && d.heads.now() <= h.age+1 {
		return h.revision, nil
	}
	return d.streamLength(s)
}

func (d *DB) streamLength(s eventstore.Stream) (r eventstore.Revision, err error) {
	it, err := d.pebble.NewIter(&pebble.IterOptions{LowerBound: streamKey(s, 0), UpperBound: afterStream(s)})
	if err != nil {
		return 0, err
	}
	defer closeInto(it, &err)
	if it.Last() {
		return parseStreamKey(s, it.Key())
	}
	return 0, it.Error()
}
