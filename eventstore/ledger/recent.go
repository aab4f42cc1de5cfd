package ledger

import (
	"bytes"
	"sync"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/generations"
)

// recent remembers the entries that were read last: everybody follows the same
// records, and nearly everybody the newest.
type recent struct {
	written written

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
			e, known := c.written.take(r)
			if !known {
				var err error
				if e, err = codec.Decode(r); err != nil {
					return read, err
				}
			}
			*place, c.newest = e, max(c.newest, r.Position)
		}
		read = append(read, *place)
	}
	return read, nil
}

// written remembers what this process wrote last, until it is read: that needs
// not be decoded. It is held against the bytes that were stored, since another
// process may have given the same answer in other words.
type written struct {
	mu      sync.Mutex
	entries generations.Map[eventstore.EventID, codec.Encoded]
}

func (w *written) add(x codec.Encoded) {
	if x.Entry.Event == nil {
		return
	}
	x.Plains = nil
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries.Put(x.Record.ID, x)
}

// take returns the entry of a record and forgets it.
func (w *written) take(r eventstore.Recorded) (codec.Entry, bool) {
	w.mu.Lock()
	x, ok := w.entries.Peek(r.ID)
	w.entries.Delete(r.ID)
	w.mu.Unlock()
	if !ok || r.Type != x.Record.Type || string(r.Stream) != x.Entry.Stream.String() || !bytes.Equal(r.Data, x.Record.Data) {
		return codec.Entry{}, false
	}
	x.Entry.Revision, x.Entry.Position = r.Revision, r.Position
	return x.Entry, true
}

// past reports whether a batch is too old to be remembered. Whoever reads such
// a one waits for nobody, and nobody for them.
func (c *recent) past(batch []eventstore.Recorded) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(batch) > 0 && batch[len(batch)-1].Position+recentLength <= c.newest
}
