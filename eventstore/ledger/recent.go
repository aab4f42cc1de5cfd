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
	pages  [recentLength / pageLength]*page
}

const (
	recentLength = 4096
	pageLength   = 256
)

// A page is the entries of so many positions, as far as they were read. What
// was put on it stays there: who was given a part of it goes on reading that.
type page struct {
	number  uint64
	entries [pageLength]codec.Entry
}

// decode is [codec.Decode] of the records that a batch begins with, of at least
// one; or an error, after those before the first that cannot be read. Who is given
// entries shares them with others.
func (c *recent) decode(batch []eventstore.Recorded) (read []codec.Entry, err error) {
	if read, known, err := c.recent(batch); known {
		return read, err
	}
	read = make([]codec.Entry, 0, len(batch))
	for _, r := range batch {
		e, err := codec.Decode(r)
		if err != nil {
			return read, err
		}
		read = append(read, e)
	}
	return read, nil
}

// recent decodes what a page has room for, unless the batch is too old to be
// remembered. Whoever reads such a one waits for nobody, and nobody for them.
func (c *recent) recent(batch []eventstore.Recorded) (read []codec.Entry, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, from := c.page(batch), uint64(batch[0].Position)%pageLength
	if p == nil {
		return nil, false, nil
	}
	for i, r := range batch[:min(uint64(len(batch)), pageLength-from)] {
		at := from + uint64(i)
		if r.Position != batch[0].Position+eventstore.Position(i) {
			break
		}
		if p.entries[at].Position != r.Position {
			e, known := c.written.take(r)
			if !known {
				if e, err = codec.Decode(r); err != nil {
					break
				}
			}
			p.entries[at], c.newest = e, max(c.newest, r.Position)
		}
		read = p.entries[from : at+1 : at+1]
	}
	return read, true, err
}

// page returns the page that a batch begins on; nil if it is too old to be
// remembered.
func (c *recent) page(batch []eventstore.Recorded) *page {
	last, number := batch[len(batch)-1].Position, uint64(batch[0].Position)/pageLength
	place := &c.pages[number%uint64(len(c.pages))]
	switch {
	case last+recentLength <= c.newest, *place != nil && (*place).number > number:
		return nil
	case *place == nil || (*place).number < number:
		*place = &page{number: number}
	}
	return *place
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
