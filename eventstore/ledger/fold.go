package ledger

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/generations"
)

// A fold is one stream, added up. Once it is in the cache it is never changed.
type fold struct {
	revision eventstore.Revision
	position eventstore.Position
	recorded deadline.Instant
	last     eventstore.EventID // of the record at revision
	answered answers

	size  int                 // in memory, as it was counted last
	sized eventstore.Revision // when

	before *fold // one record ago, if the cache still has it; owned by the cache

	weight    int         // in the cache
	continued atomic.Bool // somebody folded into it: the room behind its lists is taken

	kept atomic.Uint64 // the revision at which the newest snapshot was taken; zero: none was
	read bool          // it was read from the store: it was not in memory

	// by the noun of the stream, one of:
	subject domain.Subject
	duties  cases.Duties
	*others
}

// others are what the few streams say that are neither a person's nor of
// obligations: one of these, by the stream's noun. They are never changed.
type others struct {
	service   domain.Service
	policies  domain.Policies
	surfaces  domain.Surfaces
	request   cases.Request
	incident  cases.Incident
	calendars deadline.Calendars
}

// newFold returns the fold of a stream that has no records.
func newFold() *fold { return &fold{others: &nothing} }

var nothing others

// next returns a fold to fold more into, while others keep f, and how much of it
// is the caller's. Who comes second has lists of their own from then on.
func (f *fold) next() (*fold, lists.Own) {
	n := &fold{
		revision: f.revision, position: f.position, recorded: f.recorded, last: f.last,
		size: f.size, sized: f.sized,
		answered: f.answered, subject: f.subject, duties: f.duties, others: f.others,
	}
	n.kept.Store(f.kept.Load())
	if f.continued.Swap(true) {
		n.continued.Store(true)
		return n, lists.Shared
	}
	return n, lists.Newest
}

// add folds one entry.
func (f *fold) add(e codec.Entry, own lists.Own) {
	f.answered = lists.Add(own, f.answered, markOf(e.Request.ID))
	f.revision, f.position, f.recorded, f.last = e.Revision, e.Position, max(f.recorded, e.Recorded), e.ID
	switch e.Stream.Noun {
	case ident.SubjectNoun:
		f.subject = f.subject.Fold(e.Fact(), own)
	case ident.ObligationNoun:
		f.duties, _ = f.duties.Fold(e.Fact(), own)
	case ident.AccessNoun:
		// what was answered changes no answer
	default:
		f.others = f.others.with(e, own)
	}
}

// with returns what a stream says with one more entry.
func (o *others) with(e codec.Entry, own lists.Own) *others {
	next := *o
	switch e.Stream.Noun {
	case ident.ServiceNoun:
		next.service = o.service.Fold(e.Fact(), own)
	case ident.PolicyNoun:
		next.policies = o.policies.Fold(e.Fact(), own)
	case ident.SurfaceNoun:
		next.surfaces = o.surfaces.Fold(e.Fact(), own)
	case ident.RequestNoun:
		next.request = o.request.Fold(e.Fact(), own)
	case ident.IncidentNoun:
		next.incident = o.incident.Fold(e.Fact(), own)
	case ident.CalendarNoun:
		next.calendars = domain.EvolveCalendars(o.calendars, e.Fact())
	case ident.SubjectNoun, ident.ObligationNoun, ident.AccessNoun:
		// in the fold itself
	}
	return &next
}

// fold returns the newest fold of a stream that this process knows, reading
// the stream if it knows none. Another process may have appended since: then
// the append that follows loses the race, and reads again; and the cache hears
// of it, see [folds.hear].
func (l *Ledger) fold(ctx context.Context, stream ident.StreamID) (*fold, error) {
	f, ok := l.folds.get(stream)
	l.meter.folded(ok)
	if ok {
		return f, nil
	}
	heard := l.feed.heard()
	f, err := l.foldUntil(ctx, stream, 0)
	if err == nil && !f.ahead(stream) {
		l.folds.put(stream, f, heard)
	}
	return f, err
}

// ahead reports whether a stream was asked for before the record with which it begins
// was there: nobody would hear of that.
func (f *fold) ahead(stream ident.StreamID) bool {
	_, _, owed := stream.OwedSince()
	return owed && f.position == 0
}

// beginFold remembers that a stream is empty which had no name when the log was
// heard up to a position: it need not be read. Should somebody else have written
// to it meanwhile, the append that follows loses the race.
func (l *Ledger) beginFold(stream ident.StreamID, heard eventstore.Position) {
	if _, ok := l.folds.get(stream); !ok {
		l.folds.put(stream, newFold(), heard)
	}
}

// foldUntil folds a stream up to a position; zero means all of it. It begins with
// the stream's snapshot.
func (l *Ledger) foldUntil(ctx context.Context, stream ident.StreamID, until eventstore.Position) (*fold, error) {
	if stream.Noun == ident.ObligationNoun {
		f, err := l.beginOwed(ctx, stream, until)
		if err == nil {
			f, err = l.foldOn(ctx, stream, f, until)
		}
		return f, err
	}

	f, err := l.snapshotOf(ctx, stream)
	if err != nil {
		return nil, err
	}
	if until != 0 && f.position > until {
		f = newFold()
	}
	f, err = l.foldOn(ctx, stream, f, until)
	if errors.Is(err, errOtherHistory) {
		f, err = l.foldOn(ctx, stream, newFold(), until)
	}
	if err == nil && until == 0 {
		f.read = true
		l.due.add(stream, f, agedTail)
	}
	return f, err
}

var errOtherHistory = errors.New("the snapshot is of another history")

// foldOn folds the records after f. The one that f ends with is read too: if it is
// not there, or is another, f is of another history. Where the snapshots lie in one
// database with the records, they are of one history, and it is enough that the index has
// it, in its place if f says one: a record costs as much to read as all else that a
// person costs who is not in memory. A fold that comes from a snapshot may hold one list
// in two places, so none is changed where it is.
func (l *Ledger) foldOn(
	ctx context.Context, stream ident.StreamID, f *fold, until eventstore.Position,
) (*fold, error) {
	own, same := lists.Alone, true
	var records iter.Seq2[eventstore.Recorded, error]
	switch name := eventstore.Stream(stream.String()); {
	case f.revision == 0:
		records = l.store.ReadStream(ctx, name, 0)
	case l.joint != nil:
		at, rest, err := l.joint.ReadBehind(ctx, name, f.revision)
		if err != nil {
			return nil, err
		}
		if at == 0 || f.position != 0 && f.position != at {
			return nil, errOtherHistory
		}
		own, f.position, records = lists.Newest, at, rest
	default:
		own, same, records = lists.Newest, false, l.store.ReadStream(ctx, name, f.revision-1)
	}

	for e, err := range entries(records) {
		if err != nil {
			return nil, err
		}
		if !same {
			if same = e.Revision == f.revision && e.ID == f.last && e.Position == f.position; !same {
				return nil, errOtherHistory
			}
			continue
		}
		if until != 0 && e.Position > until {
			break
		}
		f.add(e, own)
	}

	if !same {
		return nil, errOtherHistory
	}
	return f, nil
}

// folds is a bounded cache: a fold that is in it holds all that was heard of its
// stream. For whoever follows the log and is a moment behind, it keeps what the folds
// that grew last were one record ago. Obligations have a place of their own, so that
// they do not drive persons out: they come in streams that are written to for a moment
// and then for weeks not.
type folds struct {
	feed   *feed
	shared bool // other processes record too

	mu     sync.Mutex
	last   generations.Map[ident.StreamID, *fold]
	duties generations.Map[ident.StreamID, *fold]
	grown  [mostBefore]*fold // those that have a fold before them, in the order in which they grew
	next   int               // in grown
}

// mostBefore is how many folds are kept that are not the newest of their stream: they
// share most of what they hold with the newest, and take some hundred bytes.
const mostBefore = 1 << 14

// newFolds returns a cache for folds of so many bytes, and the feed that it hears.
func newFolds(memory int, store eventstore.Store, head eventstore.Position) *folds {
	weigh := func(_ ident.StreamID, f *fold) int { return f.weight }
	c := &folds{
		last:   generations.Map[ident.StreamID, *fold]{Each: memory / 16 * 7, Weigh: weigh},
		duties: generations.Map[ident.StreamID, *fold]{Each: memory / 16, Weigh: weigh},
	}
	c.feed = &feed{store: store, folds: c, lead: make(chan struct{}, 1), most: feedBytes, begin: head, end: head}
	return c
}

func (c *folds) of(s ident.StreamID) *generations.Map[ident.StreamID, *fold] {
	if s.Noun == ident.ObligationNoun {
		return &c.duties
	}
	return &c.last
}

func (c *folds) get(s ident.StreamID) (*fold, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of(s).Get(s)
}

// holds reports whether a fold is the one that is known of its stream.
func (c *folds) holds(s ident.StreamID, f *fold) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.of(s).Peek(s)
	return ok && known == f
}

// until returns the fold of a stream as it was at a position, if it is known.
func (c *folds) until(s ident.StreamID, at eventstore.Position) (*fold, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.of(s).Get(s)
	for ok && f.position > at {
		f, ok = f.before, f.before != nil
	}
	return f, ok
}

// grow remembers what a fold was before its last record.
func (c *folds) grow(f, before *fold) {
	if oldest := c.grown[c.next]; oldest != nil {
		oldest.before = nil
	}
	f.before, c.grown[c.next] = before, f
	c.next = (c.next + 1) % len(c.grown)
}

// unchanged returns the fold of a stream if it is known to be the same since a
// position: nothing that is later is in it, and everything up to there was heard.
func (c *folds) unchanged(s ident.StreamID, since eventstore.Position) (*fold, bool) {
	f, ok := c.get(s)
	return f, ok && f.position <= since && since <= c.feed.heard()
}

// hear tells the folds what was recorded. The records of this process are in its folds
// already, or about to be. Then it calls keep, before any other fold finds its way in.
func (c *folds) hear(s stretch, keep func(stretch)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range s.entries {
		c.advance(e)
	}
	if s.bad != nil {
		// What cannot be read is heard of all the same: whoever needs it is told so.
		if id, err := ident.ParseStreamID(string(s.records[len(s.records)-1].Stream)); err == nil {
			c.drop(id, s.last())
		}
	}
	keep(s)
}

// advance folds an entry into the fold of its stream, if that is known and lacks this
// one alone: where several processes record, it would be read anew from the store and
// the vault otherwise, for every record that another one makes. Where one process
// records, the fold is about to be replaced by who recorded, and is dropped.
func (c *folds) advance(e codec.Entry) {
	f, ok := c.of(e.Stream).Peek(e.Stream)
	if !ok || f.position >= e.Position {
		return
	}
	if !c.shared || f.revision+1 != e.Revision {
		c.of(e.Stream).Delete(e.Stream)
		return
	}

	next, own := f.next()
	next.add(e, own)
	next.weight = next.bytes(e.Stream.Noun)
	if next.revision-eventstore.Revision(next.kept.Load()) >= interval(next.revision) {
		next.kept.Store(uint64(next.revision)) // who recorded it writes the snapshot
	}
	c.of(e.Stream).Replace(e.Stream, next)
	if f.revision != 0 {
		c.grow(next, f)
	}
}

// drop forgets the fold of a stream if it does not hold the record at a position.
func (c *folds) drop(s ident.StreamID, at eventstore.Position) {
	if f, ok := c.of(s).Peek(s); ok && f.position < at {
		c.of(s).Delete(s)
	}
}

// put remembers a fold that was read, or begun, when the log was heard up to a
// position; unless the same or a newer one is known, or its stream was written to
// since: who reads a stream may be overtaken by who writes to it.
func (c *folds) put(s ident.StreamID, f *fold, heard eventstore.Position) {
	f.weight = f.bytes(s.Noun)
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.of(s).Peek(s)
	if ok && (known.position > f.position || known.position == f.position && known.revision == f.revision) {
		return
	}
	if !c.feed.wrote(s, max(f.position, heard)) {
		c.of(s).Put(s, f)
		if ok && known.revision != 0 && known.revision+1 == f.revision {
			c.grow(f, known)
		}
	}
}

func (c *folds) forget(s ident.StreamID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of(s).Delete(s)
}
