// Package siem tells who did what in a ledger as events of the Open Cybersecurity Schema
// Framework (OCSF), for those who watch over it: a SIEM.
//
// There are two sources, and no event is kept twice. Whatever was done is a record of the
// log: reads that leave a record, changes, keys and roles, exports and disclosures. Who
// signed in or out, and what was refused, is in the trail, see package trail. A [Cursor]
// says how far somebody has read both; whoever goes on from it misses nothing and is told
// nothing twice.
//
// An event says who (a principal's pseudonym), what was done, to which stream, when, and
// whether it was refused. It holds nothing that a record says of a person: neither an id
// that the app has for them nor a text, an answer or a purpose. The name of a stream holds
// the pseudonym of whom it is about, which means nothing once they are erased.
package siem

import (
	"context"
	"iter"

	"consentledger/api/auth/trail"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// A Log is what is asked of the ledger.
type Log interface {
	Replay(ctx context.Context, after eventstore.Position) iter.Seq2[codec.Entry, error]
	Head(ctx context.Context) (eventstore.Position, error)
	Place(at eventstore.Position) error
}

// A Source is where the events of a ledger come from.
type Source struct {
	Log     Log
	Trail   *trail.Trail                    // nil: nobody is authenticated, and so nobody signs in
	Barrier func(ctx context.Context) error // of the store, see [eventstore.Store]
	Version string                          // of this program
}

// A Question says which events are wanted.
type Question struct {
	App   ident.AppName // only of this app; empty: of all, and what is of none
	After Cursor
	Most  int // how many at most
}

// looks bounds how many records are looked at for one answer: there may be few that are
// wanted among many.
const looks = 50_000

// Read returns the next events, a line of JSON each and the older first, and how far they
// go. If that is as far as the question came from, there is nothing new. Less than was
// asked for does not mean that there is no more.
func (s Source) Read(ctx context.Context, q Question) (lines []byte, to Cursor, err error) {
	if err := s.check(ctx, q.After); err != nil {
		return nil, q.After, err
	}

	to = q.After
	looked, told := 0, 0
	for one, err := range merged(s.recorded(ctx, q), s.trailed(ctx, q)) {
		if err != nil {
			return nil, q.After, err
		}
		to.Position, to.Number = max(to.Position, one.position), max(to.Number, one.number)
		if one.event != nil {
			if lines, err = one.event.append(lines, to); err != nil {
				return nil, q.After, err
			}
			told++
		}
		if looked++; looked >= looks || told >= q.Most {
			break
		}
	}
	return lines, to, nil
}

// check refuses a cursor from which nothing can go on.
func (s Source) check(ctx context.Context, after Cursor) error {
	if err := s.Log.Place(after.Position); err != nil {
		return err
	}

	// Another process may have given out the cursor, and know more than this one does.
	if err := s.Barrier(ctx); err != nil {
		return err
	}
	head, err := s.Log.Head(ctx)
	if err != nil {
		return err
	}

	newest := uint64(0)
	if s.Trail != nil {
		if newest, err = s.Trail.Newest(ctx); err != nil {
			return err
		}
	}
	if after.Position > head || s.Trail != nil && after.Number > newest {
		return errOther
	}
	return nil
}

// A found is an event with its place in one of the sources.
type found struct {
	at       deadline.Instant
	position eventstore.Position // in the log; zero: it is not of the log
	number   uint64              // in the trail; zero: it is not of the trail
	event    *event              // nil: it is not wanted
}

// recorded yields what is in the log.
func (s Source) recorded(ctx context.Context, q Question) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		for e, err := range s.Log.Replay(ctx, q.After.Position) {
			one := found{at: e.Recorded, position: e.Position}
			if err == nil && (q.App == "" || e.Stream.App == q.App) {
				one.event = s.ofEntry(e)
			}
			if !yield(one, err) || err != nil {
				return
			}
		}
	}
}

// trailed yields what is in the trail. That events are missing there is an event, too:
// whoever comes late is told so.
func (s Source) trailed(ctx context.Context, q Question) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		if s.Trail == nil {
			return
		}
		read := q.After.Number
		for n, err := range s.Trail.After(ctx, read) {
			if missing := n.Number - read - 1; err == nil && missing > 0 &&
				!yield(found{at: n.First, number: n.Number - 1, event: s.ofMissing(missing, n)}, nil) {
				return
			}

			read = n.Number
			one := found{at: n.At, number: n.Number}
			if err == nil && (q.App == "" || n.App == string(q.App)) {
				one.event = s.ofTrail(n)
			}
			if !yield(one, err) || err != nil {
				return
			}
		}
	}
}

// merged yields what two sequences have, the older first, and ends with the first error.
func merged(a, b iter.Seq2[found, error]) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		next, stop := iter.Pull2(b)
		defer stop()
		y, failed, has := next()
		for x, err := range a {
			for err == nil && has && (failed != nil || y.at < x.at) {
				if !yield(y, failed) || failed != nil {
					return
				}
				y, failed, has = next()
			}
			if !yield(x, err) || err != nil {
				return
			}
		}

		for ; has; y, failed, has = next() {
			if !yield(y, failed) || failed != nil {
				return
			}
		}
	}
}
