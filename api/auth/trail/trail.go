// Package trail keeps who signed in and out, and who was refused.
//
// The log of records has what was done. What was tried and refused changes nothing, and so
// is in no log; nor is who signed in by a browser. For those who watch over a ledger both
// are kept here, as rows beside the keys, for [Days] and not for ever.
//
// Events are numbered from 1 without gaps, in the order in which they were written, by all
// processes of a ledger together. So whoever has read up to a number has missed nothing
// before it. An event names a principal as records do, by a pseudonym, and no address.
//
// A sign-in is on disk before the session is there. Refusals may come faster than any disk
// writes: the first of its kind is written within a second, and how many more there were
// once a minute. A crash loses those that were counted and not written yet, of at most a
// minute.
package trail

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"consentledger/domain/deadline"
	"consentledger/eventstore"

	"github.com/go-json-experiment/json"
)

// A Kind is what happened.
type Kind string

const (
	SignedIn        Kind = "signed-in"       // by a browser
	SignedOut       Kind = "signed-out"      // by a browser, or ended by an administrator
	SignInRefused   Kind = "sign-in-refused" // or something of a session, as a form of another page
	Unauthenticated Kind = "unauthenticated" // nobody was let in by what was shown
	Forbidden       Kind = "forbidden"       // somebody may not do this
	Limited         Kind = "limited"         // somebody asked faster than they may
)

// Kinds are all of them.
var Kinds = []Kind{SignedIn, SignedOut, SignInRefused, Unauthenticated, Forbidden, Limited}

// An Event is what happened, once or several times.
type Event struct {
	Kind      Kind
	At        deadline.Instant // the last time
	First     deadline.Instant // and the first
	Count     int              // how often
	Principal string           // the pseudonym of who it is about; empty: nobody knows
	By        string           // of who ended somebody else's sessions
	Way       string           // how they came: key, provider, setup, http, nats
	Why       string           // why they were refused, or how sessions were ended: a code
	Operation string           // of the table of who may do what
	Route     string           // as the table has it, without what stood in its place
	App       string           // which is registered
	Trace     string           // the last request's, as W3C has it; empty: it said none
}

// kind is what events have in common that are counted together.
func (e Event) kind() Event {
	e.At, e.First, e.Count, e.Trace = 0, 0, 0, ""
	return e
}

// How long events are kept, and how many at most: [Trail.Tidy] removes others, those that
// there are most of.
const (
	Days = 90
	Most = 100_000
)

// Where the rows are. A page of events is read at once: the number of one is written in 16
// digits, and those of a page have all but the last three in common.
const (
	prefix  = "access-trail/1/"
	newest  = prefix + "newest"
	oldest  = prefix + "oldest"
	numbers = prefix + "event/"
	page    = 1000
	version = 1
)

func pageOf(number uint64) []byte { return fmt.Appendf(nil, "%s%013d", numbers, number/page) }
func keyOf(number uint64) []byte  { return fmt.Appendf(nil, "%s%016d", numbers, number) }

// A row is an event as it is kept.
type row struct {
	Version   int              `json:"v"`
	Kind      Kind             `json:"kind"`
	At        deadline.Instant `json:"at"`
	First     deadline.Instant `json:"first,omitzero"`
	Count     int              `json:"count,omitzero"`
	Principal string           `json:"principal,omitzero"`
	By        string           `json:"by,omitzero"`
	Way       string           `json:"way,omitzero"`
	Why       string           `json:"why,omitzero"`
	Operation string           `json:"operation,omitzero"`
	Route     string           `json:"route,omitzero"`
	App       string           `json:"app,omitzero"`
	Trace     string           `json:"trace,omitzero"`
}

func rowOf(number uint64, e Event) eventstore.Row {
	r := row{
		Version: version, Kind: e.Kind, At: e.At, Principal: e.Principal, By: e.By, Way: e.Way, Why: e.Why,
		Operation: e.Operation, Route: e.Route, App: e.App, Trace: e.Trace,
	}
	if e.Count > 1 {
		r.First, r.Count = e.First, e.Count
	}

	b, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		panic("trail: a row does not make JSON: " + err.Error())
	}
	return eventstore.Row{Key: keyOf(number), Value: b}
}

func readRow(value []byte) (Event, error) {
	var r row
	err := json.Unmarshal(value, &r, json.RejectUnknownMembers(true))
	if err != nil || r.Version != version || !slices.Contains(Kinds, r.Kind) {
		return Event{}, errors.New("it is not as this program writes it: use the version that wrote it, or a newer one")
	}
	e := Event{
		Kind: r.Kind, At: r.At, First: r.First, Count: r.Count, Principal: r.Principal, By: r.By, Way: r.Way,
		Why: r.Why, Operation: r.Operation, Route: r.Route, App: r.App, Trace: r.Trace,
	}
	if e.Count == 0 {
		e.Count, e.First = 1, e.At
	}
	return e, nil
}

// A Trail is that of a ledger. Its methods may be called concurrently.
type Trail struct {
	Rows eventstore.Rows
	Now  func() deadline.Instant

	mu      sync.Mutex
	counted map[Event]*counted // by what they have in common

	tidying  sync.Mutex
	keptTo   uint64 // up to which number the kept ones were counted; zero: they never were
	keptThen int    // how many there were
	most     int    // zero: Most
}

// A counted is how often something was refused that is not written yet.
type counted struct {
	event   Event
	written deadline.Instant // when the last of its kind was; zero: none was
}

// tries bounds how often an append is tried again because another process was faster.
const tries = 100

// Append writes events, and returns once they survive a crash.
func (t *Trail) Append(ctx context.Context, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	for i := range events {
		if events[i].Count == 0 {
			events[i].At, events[i].Count = t.Now(), 1
			events[i].First = events[i].At
		}
	}

	for range tries {
		last, err := t.number(ctx, newest)
		if err != nil {
			return err
		}

		// Numbers have no gaps, so that all are free if the first is.
		c := eventstore.Change{Absent: [][]byte{keyOf(last + 1)}}
		for i, e := range events {
			c.Put = append(c.Put, rowOf(last+1+uint64(i), e))
		}
		c.Put = append(c.Put, numberRow(newest, last+uint64(len(events))))

		err = eventstore.WriteDurably(ctx, t.Rows, c)
		if err == nil {
			return nil
		}
		if !errors.Is(err, eventstore.ErrCondition) {
			return fmt.Errorf("trail: %w", err)
		}
	}
	return errors.New("trail: other processes were always faster")
}

func numberRow(key string, number uint64) eventstore.Row {
	return eventstore.Row{Key: []byte(key), Value: binary.BigEndian.AppendUint64(nil, number)}
}

// number reads one of the numbers that are kept; zero: it was never written.
func (t *Trail) number(ctx context.Context, key string) (uint64, error) {
	value, has, err := t.Rows.Get(ctx, []byte(key))
	switch {
	case err != nil:
		return 0, fmt.Errorf("trail: %w", err)
	case !has:
		return 0, nil
	case len(value) != 8:
		return 0, fmt.Errorf("trail: the row %s has %d bytes in the place of 8", key, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

// Newest returns the number of the last event; zero: there is none.
func (t *Trail) Newest(ctx context.Context) (uint64, error) { return t.number(ctx, newest) }

// Gone returns the number up to which events were removed, since their time was over.
func (t *Trail) Gone(ctx context.Context) (uint64, error) {
	first, err := t.number(ctx, oldest)
	if first > 0 {
		first--
	}
	return first, err
}

// After yields the events that are kept after a number, with their own, in order. Where a
// number is left out, its event was removed meanwhile.
func (t *Trail) After(ctx context.Context, after uint64) iter.Seq2[Numbered, error] {
	return func(yield func(Numbered, error) bool) {
		last, err := t.Newest(ctx)
		gone, err2 := t.Gone(ctx)
		if err := errors.Join(err, err2); err != nil {
			yield(Numbered{}, err)
			return
		}

		for next := max(after, gone) + 1; next <= last; next = (next/page + 1) * page {
			for r, err := range t.Rows.Scan(ctx, pageOf(next)) {
				n := Numbered{}
				if err == nil {
					n, err = numberedOf(r)
				}
				if err == nil && (n.Number < next || n.Number > last) {
					continue
				}
				if !yield(n, err) || err != nil {
					return
				}
			}
		}
	}
}

// A Numbered is an event and its number.
type Numbered struct {
	Number uint64
	Event
}

func numberedOf(r eventstore.Row) (n Numbered, err error) {
	if _, err := fmt.Sscanf(string(r.Key[len(numbers):]), "%d", &n.Number); err != nil {
		return n, fmt.Errorf("trail: a row that is called %.60q: %w", r.Key, err)
	}
	if n.Event, err = readRow(r.Value); err != nil {
		return n, fmt.Errorf("trail: event %d: %w", n.Number, err)
	}
	return n, nil
}

// What is counted apart in memory is bounded, of everybody and of one principal: who tries
// everything is told of in one event, hides nobody else among theirs, and fills no trail.
const (
	mostKinds = 256
	mostOfOne = 16
)

// Note counts an event, to be written soon. It does not wait and cannot fail. On a nil
// Trail nothing is noted.
func (t *Trail) Note(e Event) {
	if t == nil {
		return
	}
	now := t.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counted == nil {
		t.counted = map[Event]*counted{}
	}

	kind := e.kind()
	c := t.counted[kind]
	if c == nil && (len(t.counted) >= mostKinds || t.kindsOf(e.Principal) >= mostOfOne) {
		kind = Event{Kind: e.Kind, Principal: e.Principal, Why: "many"}
		if c = t.counted[kind]; c == nil && len(t.counted) >= 2*mostKinds {
			kind.Principal = ""
			c = t.counted[kind]
		}
	}
	if c == nil {
		c = new(counted)
		t.counted[kind] = c
	}

	if c.event.Count == 0 {
		c.event, c.event.First = kind, now
	}
	c.event.Count++
	c.event.At, c.event.Trace = now, e.Trace
}

// kindsOf returns how many kinds are counted of a principal; of nobody in particular there are
// as many as there are codes. The caller holds mu.
func (t *Trail) kindsOf(principal string) (n int) {
	if principal == "" {
		return 0
	}
	for kind := range t.counted {
		if kind.Principal == principal {
			n++
		}
	}
	return n
}

// How often what was counted is written: the first of a kind, and how many more.
const (
	writeEvery = time.Second
	countEvery = time.Minute
)

// Run writes what is noted, and removes what is over, until ctx is done; then it writes
// what is left. It calls failed with the error of a round that failed: what that round did
// not write the next one does.
func (t *Trail) Run(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	var tidied deadline.Instant
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := t.Flush(last); err != nil {
				failed(err)
			}
			return
		case <-tick.C:
		}

		err := t.write(ctx, false)
		if now := t.Now(); now-tidied > deadline.Instant(countEvery.Milliseconds()) {
			tidied = now
			err = errors.Join(err, t.Tidy(ctx))
		}
		if err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

// Flush writes all that was noted.
func (t *Trail) Flush(ctx context.Context) error { return t.write(ctx, true) }

// write writes what is due, or all.
func (t *Trail) write(ctx context.Context, all bool) error {
	events := t.take(all)
	err := t.Append(ctx, events...)
	if err != nil {
		t.giveBack(events)
	}
	return err
}

// take returns what is to be written now, and forgets what was not heard of for long.
func (t *Trail) take(all bool) (events []Event) {
	now := t.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for kind, c := range t.counted {
		due := all || now-c.written >= deadline.Instant(countEvery.Milliseconds())
		switch {
		case !due:
		case c.event.Count == 0:
			delete(t.counted, kind)
		default:
			events = append(events, c.event)
			c.event, c.written = Event{}, now
		}
	}
	return events
}

// giveBack counts events again that could not be written. If they were written after all,
// they are told of twice.
func (t *Trail) giveBack(events []Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range events {
		c := t.counted[e.kind()]
		if c == nil {
			c = new(counted)
			t.counted[e.kind()] = c
		}
		if c.event.Count > 0 {
			e.Count, e.At, e.Trace = e.Count+c.event.Count, c.event.At, c.event.Trace
		}
		c.event, c.written = e, 0
	}
}
