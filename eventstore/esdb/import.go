package esdb

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"consentledger/eventstore"
)

var _ eventstore.Importer = (*Store)(nil)

// Bounds of an import.
const (
	importAtOnce  = 128     // appends that are on their way
	importLookups = 64      // streams that are looked at, at once
	importKnown   = 1 << 20 // streams whose length is remembered
)

// Import implements [eventstore.Importer]. Its appends go by the call that stays open, in
// which a server takes one after the other as they come, and many are on their way. All
// streams are looked at before, so that nothing is sent behind a record that does not
// fit.
//
// What is not answered is sent again once the others are. If a server refused one append
// of many and took a later one, the order is lost: that shows in the positions and is an
// error, after which the store cannot be imported into any more.
func (s *Store) Import(ctx context.Context, records ...eventstore.Recorded) (last eventstore.Position, err error) {
	runs, err := eventstore.Runs(records)
	if err != nil {
		return 0, err
	}
	if err := s.checkLengths(ctx, runs); err != nil {
		return 0, err
	}

	for some := range slices.Chunk(runs, importAtOnce) {
		if last, err = s.importSome(ctx, last, some); err != nil {
			s.imported.forget()
			return 0, err
		}
		s.imported.add(some)
	}
	return last, nil
}

// importSome imports runs that are on their way at once. All of them come behind last.
func (s *Store) importSome(
	ctx context.Context, last eventstore.Position, runs []eventstore.Run,
) (eventstore.Position, error) {
	ctx, cancel := patient(ctx)
	defer cancel()
	all := make([]*appending, len(runs))
	for i, r := range runs {
		events, err := s.events(r.Stream, r.Expected, r.Records)
		if err != nil {
			return 0, err
		}
		all[i] = &appending{
			store: s, caller: ctx, stream: r.Stream, expected: r.Expected, records: r.Records, events: events,
			done: make(chan struct{}),
		}
	}

	for i, r := range s.sendInOrder(ctx, all) {
		at, err := all[i].imported(ctx, r)
		if err != nil {
			return 0, err
		}
		if at <= last {
			return 0, s.broken(fmt.Errorf("an append to stream %s was stored before others that were sent earlier: "+
				"the order of what is imported is lost, begin again with an empty event store", all[i].stream))
		}
		last = at
	}
	return last, nil
}

// sendInOrder sends appends, one behind the other, and returns once all of them are
// answered, or will not be.
func (s *Store) sendInOrder(ctx context.Context, all []*appending) []reply {
	l, err := s.link(ctx)
	if err == nil && l.batches && !s.noBatches {
		ctx, cancel := context.WithTimeout(ctx, s.address.deadline)
		defer cancel()
		return l.appending.sendAll(ctx, l, all)
	}
	if err == nil {
		err = errOneByOne
	}

	none := make([]reply, len(all))
	for i := range none {
		none[i].err = err
	}
	return none
}

// errOneByOne says that a node has no call that keeps an order.
var errOneByOne = errors.New("one append after the other")

// imported returns where an append of an import is, whatever became of it at first.
func (a *appending) imported(ctx context.Context, r reply) (eventstore.Position, error) {
	if r.err == nil && r.stored {
		err := a.stored(r)
		return a.last, err
	}
	if r.err != nil && !errors.Is(r.err, errOneByOne) { // it may be there
		a.doubt = true
		a.store.doubtful.Add(1)
	}
	return a.bring(ctx)
}

// sendAll sends appends in their order, with none of others between them, and waits for
// the answers.
func (p *pipe) sendAll(ctx context.Context, l *link, all []*appending) []reply {
	replies, answers := make([]reply, len(all)), make([]<-chan reply, len(all))
	numbers := make([]uint64, len(all))
	p.sending.Lock()
	for i, a := range all {
		call, n, answer, err := p.enter(l, a.store)
		if err != nil {
			replies[i].err = err
			continue
		}
		numbers[i], answers[i] = n, answer
		_ = call.Send(a.batch(l, n)) // why it failed is what Recv says, to all who wait
	}
	p.sending.Unlock()

	for i, answer := range answers {
		if answer == nil {
			continue
		}
		select {
		case replies[i] = <-answer:
		case <-ctx.Done():
			p.leave(numbers[i])
			replies[i].err = timely(ctx, refusal{err: ctx.Err()})
		}
	}
	return replies
}

// An importing remembers how long streams are that were imported, so that they are not
// looked at again: by a hash of their names. That two have one is so rare that nothing is
// done about it: the server refuses an append that does not fit.
type importing struct {
	mu      sync.Mutex
	began   bool
	whole   bool // all streams are remembered that the store has
	lengths map[uint64]eventstore.Revision
	seed    maphash.Seed
}

// isNew reports whether nothing is known yet.
func (i *importing) isNew() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return !i.began
}

// know says what the store has before the first import: nothing, or something.
func (i *importing) know(empty bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.began, i.whole, i.lengths, i.seed = true, empty, map[uint64]eventstore.Revision{}, maphash.MakeSeed()
}

// forget forgets all: somebody else writes.
func (i *importing) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.began, i.lengths = false, nil
}

func (i *importing) add(runs []eventstore.Run) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.began {
		return
	}
	if len(i.lengths) > importKnown {
		i.whole = false
		clear(i.lengths)
	}
	for _, r := range runs {
		i.lengths[maphash.String(i.seed, string(r.Stream))] = r.Expected + eventstore.Revision(len(r.Records))
	}
}

// length returns how long a stream is, if that is known.
func (i *importing) length(stream eventstore.Stream) (eventstore.Revision, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	n, known := i.lengths[maphash.String(i.seed, string(stream))]
	return n, known || i.whole
}

// checkLengths returns an error unless each stream is as long as its first run wants.
func (s *Store) checkLengths(ctx context.Context, runs []eventstore.Run) error {
	if s.imported.isNew() {
		head, err := s.Head(ctx)
		if err != nil {
			return err
		}
		s.imported.know(head == 0)
	}

	var ask []eventstore.Run
	expected := map[eventstore.Stream]eventstore.Revision{} // behind the runs before
	for _, r := range runs {
		length, known := expected[r.Stream]
		if !known {
			length, known = s.imported.length(r.Stream)
		}
		if known && length != r.Expected {
			return &eventstore.ConflictError{Stream: r.Stream, Expected: r.Expected, Actual: length}
		}
		if !known {
			ask = append(ask, r)
		}
		expected[r.Stream] = r.Expected + eventstore.Revision(len(r.Records))
	}
	return s.lookUpLengths(ctx, ask)
}

func (s *Store) lookUpLengths(ctx context.Context, runs []eventstore.Run) error {
	for some := range slices.Chunk(runs, importLookups) {
		errs := make([]error, len(some))
		var all sync.WaitGroup
		for i, r := range some {
			all.Go(func() { errs[i] = s.checkLength(ctx, r) })
		}
		all.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLength reads the last record that a stream should have, and what is behind it.
func (s *Store) checkLength(ctx context.Context, r eventstore.Run) error {
	before := max(r.Expected, 1) - 1
	length := before
	for record, err := range s.ReadStream(ctx, r.Stream, before) {
		if err != nil {
			return err
		}
		if length = record.Revision; length > r.Expected {
			break
		}
	}

	if length != r.Expected {
		return &eventstore.ConflictError{Stream: r.Stream, Expected: r.Expected, Actual: length}
	}
	return nil
}
