package ledger

import (
	"bytes"
	"sync"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/generations"
	"consentledger/eventstore/pages"
)

// recent remembers the entries that were read last: everybody follows the same
// records, and nearly everybody the newest.
type recent struct {
	written written

	mu     sync.Mutex // held while records are read: who comes meanwhile wants the same
	newest eventstore.Position
	ring   pages.Ring[codec.Entry]
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
	if batch[len(batch)-1].Position+pages.Kept <= c.newest {
		return nil, false, nil
	}
	p, from := c.ring.Open(batch[0].Position), pages.Index(batch[0].Position)
	if p == nil {
		return nil, false, nil
	}
	for i, r := range batch[:min(len(batch), pages.Length-from)] {
		at := from + i
		if r.Position != batch[0].Position+eventstore.Position(i) {
			break
		}
		if p.Items[at].Position != r.Position {
			e, known := c.written.take(r)
			if !known {
				if e, err = codec.Decode(r); err != nil {
					break
				}
			}
			p.Items[at], c.newest = e, max(c.newest, r.Position)
		}
		read = p.Items[from : at+1 : at+1]
	}
	return read, true, err
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
