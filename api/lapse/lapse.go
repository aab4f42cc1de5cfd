// Package lapse notices that consents end although nobody says so: that one expires, by
// its own time, by what the policy or the law says, or because it was for one use; and that
// a new version of the policy makes it stale. It records what it noticed, so that apps are
// told of it by package outbox and package webhook as of everything else: in the order of
// the log, with a position, and with one id however often.
//
// A record of it is a note of the ledger about the person. Nobody's consent is changed by
// it: where a person stands is computed each time from what they said, the time, and the
// policies. The note is written only if it is true at that point of the log, and
// its id derives from the consent and what ended it. So doing it twice, in two processes,
// after a crash, or with a clock that was set back, records it once.
//
// # What is kept
//
// The follower keeps rows beside the log: how far it has read; for every consent that ends
// by itself, the moment at which to look at its person; for every person who consented, the
// versions that they consented to; and for every new version that is not worked off, how
// far that is. So what is due is found by looking at the first rows of the timetable, and
// whom a new version may concern by walking through the app's consents, a two hundred and
// fifty-sixth at a time. What is known stands in the rows and not in memory; they are
// derived, and may be lost: then the log is read again.
//
// # Since when
//
// It begins when somebody is told of consents first. Consents that had ended by then are
// told to nobody, as what was said before is not. While nobody is to be told, nothing is
// read and nothing recorded; when somebody is again, it goes on where it was.
package lapse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// A Ledger is what a Follower stands on.
type Ledger interface {
	Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error]
	Head(ctx context.Context) (eventstore.Position, error)
	Whole(ctx context.Context, stream ident.StreamID) (domain.Subject, error)
	App(ctx context.Context, app ident.AppName) (domain.Reference, error)
	ExecuteOn(ctx context.Context, stream ident.StreamID, req ledger.Request) (ledger.Receipt, error)
	Now() deadline.Instant
}

// A Follower notices and records. Fill in the first three fields. Of several processes that
// serve one ledger, one runs it at a time; should two run it for a moment, nothing is
// recorded twice.
type Follower struct {
	Ledger Ledger
	Rows   eventstore.Rows

	// Wanted reports whether somebody is told of consents that end.
	Wanted func(ctx context.Context) (bool, error)

	Log  *slog.Logger  // nil: slog.Default
	Look time.Duration // how often the clock and Wanted are looked at; zero: a second

	at      checkpoint
	next    deadline.Instant // before it nothing in the timetable is due
	running bool             // a new version is not worked off

	mu  sync.Mutex
	pos eventstore.Position
	err error
}

// State returns the position up to which f has read the log, zero if nobody wanted it to,
// and what keeps it from going on.
func (f *Follower) State() (eventstore.Position, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pos, f.err
}

func (f *Follower) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pos, f.err = f.at.Position, err
}

// How long Run waits that met a broken ledger.
const (
	firstTry = 100 * time.Millisecond
	lastTry  = 30 * time.Second
)

// Run notices and records until ctx is done, which is no error, or a record cannot be
// read. It is called again and again, never twice at once.
func (f *Follower) Run(ctx context.Context) error {
	wait := firstTry
	for {
		before := f.at.Position
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}

		err = fmt.Errorf("consents that ended, after %d: %w", f.at.Position, err)
		f.note(err)
		if _, unreadable := errors.AsType[*codec.UnreadableError](err); unreadable {
			return err
		}
		if f.at.Position != before {
			wait = firstTry
		}
		f.log().Warn("which consents ended is not recorded, and tried again", "error", err)
		rest(ctx, wait)
		wait = min(2*wait, lastTry)
	}
}

// follow works until something goes wrong.
func (f *Follower) follow(ctx context.Context) error {
	var asked time.Time
	wanted, begun := false, false
	for ctx.Err() == nil {
		if time.Since(asked) >= f.look() {
			var err error
			if wanted, err = f.Wanted(ctx); err != nil {
				return err
			}
			asked = time.Now()
		}
		if !wanted {
			begun = false
			f.note(nil)
			rest(ctx, f.look())
			continue
		}

		if !begun {
			if err := f.begin(ctx); err != nil {
				return err
			}
			begun = true
		}
		if err := f.round(ctx); err != nil {
			return err
		}
		f.note(nil)
	}
	return ctx.Err()
}

// round learns all that is recorded, does a part of what is due, and waits if nothing is.
func (f *Follower) round(ctx context.Context) error {
	now := f.Ledger.Now()
	head, err := f.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	for f.at.Position < head {
		if err := f.listen(ctx, ctx); err != nil {
			return err
		}
	}

	if f.next <= now {
		more, err := f.fire(ctx, now)
		if err != nil || more {
			return err
		}
	}
	if f.running {
		return f.spread(ctx)
	}
	return f.wait(ctx, now)
}

// wait follows the log until something was read, the next moment has come, or it is time
// to look at the clock again: somebody may have set it.
func (f *Follower) wait(ctx context.Context, now deadline.Instant) error {
	pause := f.look()
	if f.next < never {
		pause = min(pause, max(0, time.Duration(f.next-now)*time.Millisecond))
	}
	until, stop := context.WithTimeout(ctx, pause)
	defer stop()
	return f.listen(ctx, until)
}

// listen learns the next part of the log, or returns once until is done.
func (f *Follower) listen(ctx, until context.Context) error {
	for entries, err := range f.Ledger.Follow(until, f.at.Position) {
		if until.Err() != nil && ctx.Err() == nil {
			return nil // it is time
		}
		if err != nil {
			return err
		}
		return f.learn(ctx, entries)
	}
	return ctx.Err()
}

func (f *Follower) look() time.Duration { return cmp.Or(f.Look, time.Second) }

func (f *Follower) log() *slog.Logger {
	if f.Log == nil {
		return slog.Default()
	}
	return f.Log
}

func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
