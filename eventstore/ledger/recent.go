package ledger

import (
	"sync"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// recent remembers the entries that were read last: everybody follows the same
// records, and nearly everybody the newest.
type recent struct {
	mu     sync.Mutex // held while records are read: who comes meanwhile wants the same
	newest eventstore.Position
	ring   [recentLength]codec.Entry
}

const recentLength = 4096

// decode is [codec.Decode] of a batch, up to the first record that cannot be
// read. Who is given an entry shares it with others.
func (c *recent) decode(batch []eventstore.Recorded) (read []codec.Entry, err error) {
	read = make([]codec.Entry, 0, len(batch))
	if c.past(batch) {
		for _, r := range batch {
			e, err := codec.Decode(r)
			if err != nil {
				return read, err
			}
			read = append(read, e)
		}
		return read, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range batch {
		place := &c.ring[uint64(r.Position)%recentLength]
		if place.Position != r.Position {
			e, err := codec.Decode(r)
			if err != nil {
				return read, err
			}
			*place, c.newest = e, max(c.newest, r.Position)
		}
		read = append(read, *place)
	}
	return read, nil
}

// past reports whether a batch is too old to be remembered. Whoever reads such
// a one waits for nobody, and nobody for them.
func (c *recent) past(batch []eventstore.Recorded) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(batch) > 0 && batch[len(batch)-1].Position+recentLength <= c.newest
}
