package ledger

import (
	"context"
	"errors"
	"sync"
	"time"

	"consentledger/eventstore"
)

// Freshness is what a process must do before it speaks for the others that write to
// the same store. One sentence is to be kept: once any process has given a receipt
// for an opt-out, no process answers "allowed" against it.
//
// A process may not know what another has just recorded: a person's opt-out, a link, a
// policy, a calendar, an app. All of it is in the log, and everything that is kept in
// memory of the log is in the cache of folds, which takes in what the feed hears. So
// one thing is enough for all: [freshness.now] passes a barrier of the store, and
// waits until the feed has heard what the log holds behind it. A store that has read
// what is new by the way tells the feed so, see [eventstore.Catching]. Where one process owns
// the store it does nothing.
//
// Whoever answers "allowed", or decides by what an app has published, asks now first.
// Three others need not. An opt-out may be answered from what is in memory, see
// [AsOf.Cached]: if it is out of date nothing is done that might be. A decision on one stream
// is appended behind the revision that it was decided on, and loses the race if
// that was old. And whoever follows the log is told of nothing that the cache has
// not heard.
//
// What it costs: one barrier and one read of the log's end for all who ask at a
// time, and the wait for the feed, which reads everything that all processes record.
// A barrier on EventStoreDB is an append of no events, which stays in the log, at
// most one in [esdb.Options.BarrierEvery]; on PostgreSQL all of it is one question to
// the primary.
//
// Beside the log stands the vault, whose rows all processes share. It remembers whom
// an outside id leads to. That can be another person only once the first one's history
// has ended, or was erased, which the log says: see [Ledger.find].
type freshness struct {
	shared bool
	store  eventstore.Store
	feed   *feed

	mu   sync.Mutex
	busy bool
	next *look // has not begun; whoever comes waits for it
}

// A look is what all wait for who asked before it began.
type look struct {
	done    chan struct{}
	err     error
	ctx     context.Context
	cancel  context.CancelFunc
	waiting int // once nobody waits any more, it ends
}

// patience is how long anybody waits to know what other processes recorded, also who
// named no deadline: while the store is away "may we?" is unknown, and that is an
// answer.
const patience = 5 * time.Second

var errBehind = errors.New("what other processes have recorded cannot be known now: the event store does not answer")

// now returns nil once this process knows all that any process had acknowledged
// before now was called.
func (f *freshness) now(ctx context.Context) error {
	if !f.shared {
		return nil
	}
	ctx, cancel := f.patiently(ctx)
	defer cancel()
	l := f.join()
	defer f.leave(l)
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// patiently returns a context for whoever asks what is known.
func (f *freshness) patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	if !f.shared {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, patience, errBehind)
}

// join returns the next look. The one that is on its way may have begun too early.
func (f *freshness) join() *look {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = &look{done: make(chan struct{})}
		f.next.ctx, f.next.cancel = context.WithCancel(context.Background())
	}
	f.next.waiting++
	if !f.busy {
		f.busy = true
		go f.work()
	}
	return f.next
}

func (f *freshness) leave(l *look) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.waiting--; l.waiting > 0 {
		return
	}
	l.cancel()
	if f.next == l {
		f.next = nil
	}
}

// work looks, as long as somebody waits for it.
func (f *freshness) work() {
	for {
		f.mu.Lock()
		l := f.next
		if f.next = nil; l == nil {
			f.busy = false
		}
		f.mu.Unlock()
		if l == nil {
			return
		}
		l.err = f.look(l.ctx)
		close(l.done)
	}
}

func (f *freshness) look(ctx context.Context) error {
	head, news, err := eventstore.CatchUp(ctx, f.store, f.feed.heard())
	if err != nil {
		return err
	}
	f.feed.hear(news)
	for at := f.feed.heard(); err == nil && at < head; at = f.feed.heard() {
		_, err = f.feed.next(ctx, at)
	}
	return err
}

// KeepUp hears the log of a store that others write to, until ctx is done or the
// log cannot be followed. It reads by one call for all, where without it everybody
// who waits for more takes turns.
func (l *Ledger) KeepUp(ctx context.Context) error {
	select {
	case l.feed.lead <- struct{}{}:
		defer func() { <-l.feed.lead }()
	case <-ctx.Done():
		return nil
	}
	for records, err := range l.store.Follow(ctx, l.feed.heard()) {
		l.feed.hear(records)
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}
