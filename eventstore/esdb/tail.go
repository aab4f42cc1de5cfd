package esdb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"consentledger/eventstore"
)

// A tail is an open subscription, and what came by it and was not taken yet.
type tail struct {
	store   *Store
	link    *link
	context context.Context
	close   context.CancelFunc
	expires *time.Timer // while it is parked

	// Whoever follows it owns these.
	given place         // what was taken last
	heard time.Time     // when something was taken last, or a quorum was asked
	owed  bool          // at the last look there was more in the store than came
	quiet time.Duration // how long nothing may come; at least silence
	had   int64         // frames, at the last look

	frames  atomic.Int64 // that came, those that bring no record too
	looking atomic.Bool  // it is being found out where the subscription began

	mu     sync.Mutex
	some   []arrival
	bytes  int
	end    error         // why it ended
	news   chan struct{} // holds one if there may be some, or an end
	demand chan struct{} // holds one if there may be room
}

type arrival struct {
	record eventstore.Recorded
	place  place
}

// What a tail keeps before it stops reading.
const (
	tailRecords = 4 * eventstore.MaxBatch
	tailBytes   = 8 << 20
)

var (
	errSilent = errors.New("the subscription was silent, though there is more")
	errMoved  = errors.New("another node leads")
	errOrder  = errors.New("the subscription went back")
	errBegan  = errors.New("the subscription did not begin where it was told")
)

// subscribe opens a subscription behind a place, over a link over which that place
// was read.
func (s *Store) subscribe(l *link, after place) (*tail, error) {
	t := &tail{store: s, link: l, given: after, heard: time.Now(), news: make(chan struct{}, 1),
		demand: make(chan struct{}, 1)}
	t.context, t.close = context.WithCancel(l.context)
	o := s.filtered(s.ours())
	o.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	o.UuidOption = structured
	from(o, after.at)
	call, err := l.streams.Read(t.context, &streams.ReadReq{Options: o}, frames)
	if err != nil {
		t.close()
		return nil, readRefusal(err, nil)
	}

	if !s.spawn(func() { t.receive(call, after) }) {
		t.close()
		return nil, ErrClosed
	}
	return t, nil
}

// receive keeps what comes until the subscription ends, once it is sure that it
// began behind a place.
func (t *tail) receive(call streams.Streams_ReadClient, last place) {
	sure := last.at == 0 // from the beginning nothing is left out
	for {
		var f frame
		if err := call.RecvMsg(&f); err != nil {
			means := readRefusal(err, call.Trailer())
			if means.means == later {
				t.store.drop(t.link, means.leader)
			}
			t.finish(means)
			return
		}
		t.frames.Add(1)
		e, is, err := f.event()
		if err != nil {
			t.finish(err)
			return
		}
		if !is {
			continue // a confirmation, a checkpoint, caught up: nothing that can be relied on
		}

		if !sure {
			if err := t.began(last); err != nil {
				t.finish(err)
				return
			}
			sure = true
		}
		record, is, err := t.store.ourRecord(&e)
		if err == nil && e.at <= last.at {
			err = errOrder
		}
		if err != nil {
			t.finish(err)
			return
		}
		last = e.place()
		if is && !t.keep(arrival{record, last}) {
			return
		}
	}
}

// began returns an error if the subscription, which has given its first event, may
// have begun elsewhere than behind a place. The server leaves out the first event at
// a position or after it, whichever that is. One that is there now was there then:
// events that were taken away do not come back while a node runs.
func (t *tail) began(after place) error {
	t.looking.Store(true)
	defer t.looking.Store(false)
	o := t.store.ofAll(t.store.ours(), 1)
	from(o, after.at)
	ctx, cancel := context.WithTimeout(t.context, t.store.address.deadline)
	defer cancel()
	events, err := t.link.read(ctx, o)
	if err != nil && !isOdd(err) {
		return err
	}
	if len(events) > 0 && events[0].place() == after {
		return nil
	}

	if _, err := t.store.confirm(t.context, after); err != nil {
		return err
	}
	return errBegan // this node did not have it, and somebody has: it is asked anew
}

// keep adds a record once there is room.
func (t *tail) keep(a arrival) bool {
	for {
		t.mu.Lock()
		if len(t.some) < tailRecords && t.bytes < tailBytes {
			t.some, t.bytes = append(t.some, a), t.bytes+len(a.record.Data)
			t.mu.Unlock()
			signal(t.news)
			return true
		}
		t.mu.Unlock()
		select {
		case <-t.demand:
		case <-t.context.Done():
			return false
		}
	}
}

func (t *tail) finish(err error) {
	t.mu.Lock()
	t.end = err
	t.mu.Unlock()
	signal(t.news)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// isOpen reports whether something may still come.
func (t *tail) isOpen() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.end == nil && t.context.Err() == nil
}

// takeNow returns what has come, and then why nothing comes any more.
func (t *tail) takeNow() ([]eventstore.Recorded, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(t.some), eventstore.MaxBatch)
	if n == 0 {
		return nil, t.end
	}

	batch := make([]eventstore.Recorded, n)
	for i, a := range t.some[:n] {
		batch[i] = a.record
		t.bytes -= len(a.record.Data)
	}

	t.given = t.some[n-1].place
	if t.some = t.some[n:]; len(t.some) == 0 {
		t.some = nil
	}

	signal(t.demand)
	return batch, nil
}

// look is how often a follower who waits looks whether it waits in vain.
const look = time.Second

// silence is how long nothing may come before a quorum is asked, which costs the server
// some bytes of its log for good. Each answer that nothing is missing doubles it, up to
// lasting silence; whatever comes ends that. Whoever asks for a barrier meanwhile finds out
// by himself whether the link still leads to the leader, and ends the subscription if not.
const (
	silence        = 10 * time.Second
	lastingSilence = time.Minute
)

// take waits until something has come. An error says why nothing comes any more.
func (t *tail) take(ctx context.Context) ([]eventstore.Recorded, error) {
	clock := time.NewTicker(look)
	defer clock.Stop()
	for {
		batch, err := t.takeNow()
		if len(batch) > 0 {
			last := batch[len(batch)-1]
			t.store.see(last.Position, last.ID)
			t.heard, t.owed, t.quiet = time.Now(), false, silence
			return batch, nil
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-t.news:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.context.Done():
			return nil, errMoved
		case <-clock.C:
			if err := t.inVain(ctx); err != nil {
				return nil, err
			}
		}
	}
}

// inVain returns why nothing will come. That nothing came is no sign that there is
// nothing: a subscription at a leader that lost its office, or its network, is
// silent and open for as long as a minute.
func (t *tail) inVain(ctx context.Context) error {
	s := t.store
	if !s.isCurrent(t.link) {
		return errMoved
	}

	if time.Since(t.heard) >= max(t.quiet, silence) {
		t.heard = time.Now()
		short, cancel := context.WithTimeout(ctx, s.address.deadline)
		defer cancel()
		if err := s.Barrier(short); err != nil {
			if ctx.Err() == nil {
				s.drop(t.link, "")
			}
			return err
		}
		head, err := s.Head(ctx)
		if err != nil {
			return err
		}
		if head > t.given.at {
			return t.owes()
		}
		t.quiet = min(2*max(t.quiet, silence), lastingSilence)
	}

	if s.highest.Load() > uint64(t.given.at) {
		return t.owes()
	}

	t.owed = false
	return nil
}

// owes gives what is on its way the time until the next look, at which a quorum is
// asked again. While something comes, be it checkpoints on the way through what is not
// ours, nothing is owed.
func (t *tail) owes() error {
	t.heard, t.quiet = t.heard.Add(-silence), silence
	if n := t.frames.Load(); n != t.had || t.looking.Load() {
		t.had, t.owed = n, false
		return nil
	}
	if t.owed {
		return fmt.Errorf("behind position %d: %w", t.given.at, errSilent)
	}
	t.owed = true
	return nil
}
