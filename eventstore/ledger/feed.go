package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"sync"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/tracing"
)

// A feed reads the store once for all who follow the log. It keeps the newest
// records, each beside its entry, and the cache of folds hears of them before
// anybody else does.
//
// It has no goroutine of its own: whoever has seen all that is kept reads what
// comes next, for everybody, and one at a time does. So nobody starts or stops a
// feed, a ledger that nobody follows reads nothing, and who is told of an error
// is always somebody who asked.
//
// It begins where the log ended when the ledger was opened, and leaves nothing
// out. Whoever is behind what is kept reads the store for themselves.
type feed struct {
	store eventstore.Store
	folds *folds
	lead  chan struct{} // holds a token of whoever reads for all
	most  int           // about how many bytes of data are kept

	hearing sync.Mutex // held by whoever tells what the store has
	hears   func(deadline.Instant)

	traces *tracing.Traces // nil: nothing is traced

	mu     sync.Mutex
	chunks []stretch           // the newest of the log; none changes but the last, which grows
	bytes  int                 // of data, in chunks
	begin  eventstore.Position // chunks hold what comes after this,
	end    eventstore.Position // up to this
	more   chan struct{}       // closed when end moves next; nil: nobody waits
}

// Short stretches are put together to chunks of so many records and bytes.
const chunkLength, chunkBytes = 256, 256 << 10

// feedBytes is how much data a ledger's feed keeps.
const feedBytes = 16 * chunkBytes

// A stretch is some of the log: records, and the entry of each. It is shared: do
// not change it.
type stretch struct {
	records []eventstore.Recorded
	entries []codec.Entry // nil: they were not read
	bad     error         // why the last record has no entry; nil: it has one
	bytes   int           // of data
}

// decode reads the entries of records, as far as the first that cannot be read.
func decode(records []eventstore.Recorded) stretch {
	s := stretch{entries: make([]codec.Entry, 0, len(records))}
	for i, r := range records {
		s.records, s.bytes = records[:i+1:i+1], s.bytes+len(r.Data)
		e, err := codec.Decode(r)
		if err != nil {
			s.bad = err
			break
		}
		s.entries = append(s.entries, e)
	}
	return s
}

// last returns the position of the last record.
func (s *stretch) last() eventstore.Position { return s.records[len(s.records)-1].Position }

// after returns the part that comes after a position.
func (s *stretch) after(at eventstore.Position) stretch {
	i := sort.Search(len(s.records), func(i int) bool { return s.records[i].Position > at })
	from := min(i, len(s.entries)) // the last record may have none
	return stretch{records: slices.Clip(s.records[i:]), entries: slices.Clip(s.entries[from:]), bad: s.bad}
}

// add puts another stretch behind s, and reports whether it did: not if it is much,
// or comes after what cannot be read. Whoever was given s goes on reading what it
// was.
func (s *stretch) add(t stretch) bool {
	if s.bad != nil || len(s.records)+len(t.records) > chunkLength || s.bytes+t.bytes > chunkBytes {
		return false
	}
	*s = stretch{append(s.records, t.records...), append(s.entries, t.entries...), t.bad, s.bytes + t.bytes}
	return true
}

// heard returns up to where the log was heard.
func (f *feed) heard() eventstore.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.end
}

// next returns what comes after a position, at least one record and at most
// [eventstore.MaxBatch].
func (f *feed) next(ctx context.Context, at eventstore.Position) (s stretch, err error) {
	for err == nil {
		kept, begin, end, more := f.after(at)
		switch {
		case ctx.Err() != nil:
			return s, ctx.Err()
		case at < begin:
			return f.older(ctx, at, end)
		case at < end:
			return kept, nil
		}

		select {
		case <-more:
		case <-ctx.Done():
		case f.lead <- struct{}{}:
			if f.heard() == end {
				err = f.read(ctx, end)
			}
			<-f.lead
		}
	}
	return s, err
}

// after returns what is kept after a position, as far as it lies in one piece,
// what else there is to know of what is kept, and what is closed when there is
// more.
func (f *feed) after(at eventstore.Position) (s stretch, begin, end eventstore.Position, more <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.more == nil {
		f.more = make(chan struct{})
	}
	if i := f.find(at); i < len(f.chunks) {
		s = f.chunks[i].after(at)
	}
	return s, f.begin, f.end, f.more
}

// find returns the place of the first chunk that reaches beyond a position.
func (f *feed) find(at eventstore.Position) int {
	return sort.Search(len(f.chunks), func(i int) bool { return f.chunks[i].last() > at })
}

// older reads records from the store that come after a position, up to another:
// nobody is told what the cache of folds has not heard.
func (f *feed) older(ctx context.Context, at, until eventstore.Position) (stretch, error) {
	records, err := f.batch(ctx, at)
	n := sort.Search(len(records), func(i int) bool { return records[i].Position > until })
	if err == nil && n == 0 {
		err = fmt.Errorf("the records from %d to %d were there, and are no more", at+1, until)
	}
	return stretch{records: slices.Clip(records[:n])}, err
}

// batch returns what the store has after a position, once there is something.
func (f *feed) batch(ctx context.Context, at eventstore.Position) ([]eventstore.Recorded, error) {
	for records, err := range f.store.Follow(ctx, at) {
		return records, err
	}
	return nil, errors.New("the log ended without an error")
}

// read hears what the store has after the end, once there is something.
func (f *feed) read(ctx context.Context, end eventstore.Position) error {
	records, err := f.batch(ctx, end)
	f.hear(records)
	return err
}

// hear takes in what comes after the end. Records that were read from the end on, or
// from a place before it, are told by whoever has read them: what was heard already
// is left out.
func (f *feed) hear(records []eventstore.Recorded) {
	f.hearing.Lock()
	defer f.hearing.Unlock()
	end := f.heard()
	records = records[sort.Search(len(records), func(i int) bool { return records[i].Position > end }):]
	for len(records) > 0 {
		s := decode(records)
		for _, e := range s.entries {
			f.hears(e.Recorded)
		}
		f.trace(s.records)
		f.folds.hear(s, f.keep)
		records = records[len(s.records):]
	}
}

// trace tells of records that were traced, before anybody follows them.
func (f *feed) trace(records []eventstore.Recorded) {
	if !f.traces.On() {
		return
	}
	for _, r := range records {
		f.traces.Heard(r.ID)
	}
}

// keep adds a stretch to what is kept, drops what is too old, and wakes who waits.
func (f *feed) keep(s stretch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end, f.bytes = s.last(), f.bytes+s.bytes

	if n := len(f.chunks) - 1; n < 0 || !f.chunks[n].add(s) {
		room := max(0, chunkLength-len(s.records)) // what comes next is put behind it
		s.records, s.entries = slices.Grow(s.records, room), slices.Grow(s.entries, room)
		f.chunks = append(f.chunks, s)
	}
	for f.bytes > f.most && len(f.chunks) > 1 {
		f.begin, f.bytes = f.chunks[0].last(), f.bytes-f.chunks[0].bytes
		f.chunks = slices.Delete(f.chunks, 0, 1)
	}

	if f.more != nil {
		close(f.more)
		f.more = nil
	}
}

// wrote reports whether a record of a stream was heard that comes after a
// position, or it cannot tell.
func (f *feed) wrote(stream ident.StreamID, after eventstore.Position) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after < f.begin || after >= f.end {
		return after < f.begin
	}
	name := eventstore.Stream(stream.String())
	for _, c := range f.chunks[f.find(after):] {
		newer := c.after(after).records
		if slices.ContainsFunc(newer, func(r eventstore.Recorded) bool { return r.Stream == name }) {
			return true
		}
	}
	return false
}

// Follow is [Ledger.Replay] that does not stop, in slices; see [eventstore.Store].
// Others are given the same slices: do not change them.
func (l *Ledger) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error] {
	return follow(ctx, l.feed, after, func(s stretch) ([]codec.Entry, error) {
		if s.entries == nil {
			s = decode(s.records)
		}
		return s.entries, s.bad
	})
}

// FollowRecords is [Ledger.Follow] for whoever needs the records as they are
// stored. One that cannot be read as an entry is a record like any other.
func (l *Ledger) FollowRecords(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return follow(ctx, l.feed, after, func(s stretch) ([]eventstore.Recorded, error) { return s.records, nil })
}

// follow yields what part returns of all that comes after a position.
func follow[T any](
	ctx context.Context, f *feed, after eventstore.Position, part func(stretch) ([]T, error),
) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		for {
			s, err := f.next(ctx, after)
			if err != nil {
				yield(nil, err)
				return
			}
			list, err := part(s)
			if len(list) > 0 && !yield(list, nil) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			after = s.last()
		}
	}
}
