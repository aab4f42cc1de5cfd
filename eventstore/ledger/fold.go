package ledger

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/generations"
)

// A fold is one stream, added up. Once it is in the cache it is never changed, but
// for the index of its answers.
type fold struct {
	revision eventstore.Revision
	position eventstore.Position
	recorded domain.Instant
	last     eventstore.EventID  // of the record at revision
	kept     eventstore.Revision // at which the newest snapshot was taken; zero: none was
	answered answers

	size  int                 // in memory, as it was counted last
	sized eventstore.Revision // when

	weight    int         // in the cache
	continued atomic.Bool // somebody folded into it: the room behind its lists is taken

	// by the noun of the stream, one of:
	subject domain.Subject
	duties  domain.Duties
	*others
}

// others are what the few streams say that are neither a person's nor of
// obligations: one of these, by the stream's noun. They are never changed.
type others struct {
	service   domain.Service
	policies  domain.Policies
	surfaces  domain.Surfaces
	request   domain.Request
	incident  domain.Incident
	calendars domain.Calendars
}

// newFold returns the fold of a stream that has no records.
func newFold() *fold { return &fold{others: &nothing} }

var nothing others

// next returns a fold to fold more into, while others keep f, and how much of it
// is the caller's. Who comes second has lists of their own from then on.
func (f *fold) next() (*fold, domain.Own) {
	n := &fold{
		revision: f.revision, position: f.position, recorded: f.recorded, last: f.last, kept: f.kept,
		size: f.size, sized: f.sized,
		answered: f.answered, subject: f.subject, duties: f.duties, others: f.others,
	}
	if f.continued.Swap(true) {
		n.continued.Store(true)
		return n, domain.Shared
	}
	return n, domain.Newest
}

// add folds one entry. The facts of one request stand together, and its
// receipt names the first of them and the position of the last.
func (f *fold) add(e codec.Entry, own domain.Own) {
	if e.Request.ID != ([16]byte{}) {
		a, again := f.answered.find(e.Request.ID)
		if !again {
			f.answered.add(answerOf(e.Request, receiptOf(e.Envelope, e.Position, e.Event)), own)
		} else if a.position != e.Position {
			a.position = e.Position
		}
	}
	f.revision, f.position, f.recorded, f.last = e.Revision, e.Position, max(f.recorded, e.Recorded), e.ID
	switch e.Stream.Noun {
	case domain.SubjectNoun:
		f.subject = f.subject.Fold(e.Fact(), own)
	case domain.ObligationNoun:
		f.duties, _ = f.duties.Fold(e.Fact(), own)
	case domain.AccessNoun:
		// what was answered changes no answer
	default:
		f.others = f.others.with(e, own)
	}
}

// with returns what a stream says with one more entry.
func (o *others) with(e codec.Entry, own domain.Own) *others {
	next := *o
	switch e.Stream.Noun {
	case domain.ServiceNoun:
		next.service = o.service.Fold(e.Fact(), own)
	case domain.PolicyNoun:
		next.policies = o.policies.Fold(e.Fact(), own)
	case domain.SurfaceNoun:
		next.surfaces = o.surfaces.Fold(e.Fact(), own)
	case domain.RequestNoun:
		next.request = o.request.Fold(e.Fact(), own)
	case domain.IncidentNoun:
		next.incident = o.incident.Fold(e.Fact(), own)
	case domain.CalendarNoun:
		next.calendars = o.calendars.Evolve(e.Fact())
	case domain.SubjectNoun, domain.ObligationNoun, domain.AccessNoun:
		// in the fold itself
	}
	return &next
}

// fold returns the newest fold of a stream that this process knows, reading
// the stream if it knows none. Another process may have appended since: then
// the append that follows loses the race, and reads again; and whoever follows
// the log hears of it, see [folds.hear].
func (l *Ledger) fold(ctx context.Context, stream domain.StreamID) (*fold, error) {
	if f, ok := l.folds.get(stream); ok {
		return f, nil
	}
	f, err := l.foldUntil(ctx, stream, 0)
	if err == nil {
		l.folds.put(stream, f)
	}
	return f, err
}

// beginFold remembers that a stream is empty which had no name until now: it
// need not be read. Should somebody else have written to it meanwhile, the
// append that follows loses the race.
func (l *Ledger) beginFold(stream domain.StreamID) {
	if _, ok := l.folds.get(stream); !ok {
		l.folds.put(stream, newFold())
	}
}

// foldUntil folds a stream up to a position; zero means all of it. It begins with
// the stream's snapshot.
func (l *Ledger) foldUntil(ctx context.Context, stream domain.StreamID, until eventstore.Position) (*fold, error) {
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
		l.due.add(stream, f)
	}
	return f, err
}

var errOtherHistory = errors.New("the snapshot is of another history")

// foldOn folds the records after f. The one that f ends with is read too: if it is
// not there, or is another, f is of another history. A fold that comes from a
// snapshot may hold one list in two places, so none is changed where it is.
func (l *Ledger) foldOn(ctx context.Context, stream domain.StreamID, f *fold, until eventstore.Position) (*fold, error) {
	own, same := domain.Alone, true
	after := f.revision
	if f.revision != 0 {
		own, same, after = domain.Newest, false, f.revision-1
	}
	for e, err := range entries(l.store.ReadStream(ctx, eventstore.Stream(stream.String()), after)) {
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

// folds is a bounded cache. Obligations have a place of their own, so that they
// do not drive persons out: they come in streams that are written to for a
// moment and then for weeks not.
type folds struct {
	mu     sync.Mutex
	last   generations.Map[domain.StreamID, *fold]
	duties generations.Map[domain.StreamID, *fold]

	heard    map[domain.StreamID]eventstore.Position // the newest record of what decisions of an app look up
	since    eventstore.Position                     // the log was heard from here, without a gap,
	followed eventstore.Position                     // to here
}

// newFolds returns a cache for folds of so many bytes.
func newFolds(memory int) folds {
	weigh := func(_ domain.StreamID, f *fold) int { return f.weight }
	return folds{
		last:   generations.Map[domain.StreamID, *fold]{Each: memory / 16 * 7, Weigh: weigh},
		duties: generations.Map[domain.StreamID, *fold]{Each: memory / 16, Weigh: weigh},
	}
}

func (c *folds) of(s domain.StreamID) *generations.Map[domain.StreamID, *fold] {
	if s.Noun == domain.ObligationNoun {
		return &c.duties
	}
	return &c.last
}

func (c *folds) get(s domain.StreamID) (*fold, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.of(s).Get(s)
	if ok && s.ID == mainID && f.position < c.heard[s] {
		return nil, false
	}
	return f, ok
}

// unchanged returns the fold of a stream if it is known to be the same since a
// position: nothing that is later is in it, and everything up to there was heard.
func (c *folds) unchanged(s domain.StreamID, since eventstore.Position) (*fold, bool) {
	f, ok := c.get(s)
	return f, ok && f.position <= since && !c.behind(since)
}

// mainID names the streams that an app has one of: its policies, its calendars.
const mainID = "main"

// hear drops the fold of every stream that somebody else has written to: the
// records of this process are in its folds already, or about to be. Of streams
// that every decision looks up it remembers how far they are, so that no fold
// which was being read meanwhile takes their place. What one follower has heard,
// the next need not hear.
func (c *folds) hear(list []codec.Entry) {
	if len(list) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	first, last := list[0].Position, list[len(list)-1].Position
	switch {
	case c.since <= first && last <= c.followed:
		return
	case c.since <= first && first <= c.followed+1:
		for list[0].Position <= c.followed {
			list = list[1:]
		}
		c.followed = last
	case last > c.followed:
		c.since, c.followed = first, last
	}
	for _, e := range list {
		if f, ok := c.of(e.Stream).Peek(e.Stream); ok && f.position < e.Position {
			c.of(e.Stream).Delete(e.Stream)
		}
		if e.Stream.ID == mainID {
			if c.heard == nil {
				c.heard = map[domain.StreamID]eventstore.Position{}
			}
			c.heard[e.Stream] = max(c.heard[e.Stream], e.Position)
		}
	}
}

// behind reports whether a record up to head was not heard yet.
func (c *folds) behind(head eventstore.Position) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.followed < head
}

// put remembers a fold, unless a newer one is known: who reads a stream may be
// overtaken by who writes to it.
func (c *folds) put(s domain.StreamID, f *fold) {
	f.weight = f.bytes(s.Noun)
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.of(s).Peek(s); !ok || known.position <= f.position {
		c.of(s).Put(s, f)
	}
}

func (c *folds) forget(s domain.StreamID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of(s).Delete(s)
}
