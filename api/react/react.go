// Package react does what must follow from an event: it follows the log and
// executes commands whose ids derive from cause and target, so that doing it
// twice, or in several processes, does nothing more.
//
// It keeps in memory what is still to come and builds that anew from the log
// whenever it starts: nothing is due before all that was recorded is known. A
// follow-up that is refused is not tried again; while the ledger is broken it is
// tried until it is not. A record that it cannot read stops it.
package react

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// A Ledger is what a Reactor stands on.
type Ledger interface {
	Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error]
	Head(ctx context.Context) (eventstore.Position, error)
	Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error)
	ExecuteOn(ctx context.Context, stream domain.StreamID, req ledger.Request) (ledger.Receipt, error)
	Reveal(ctx context.Context, e codec.Entry, role string) (domain.Personal, bool, error)
	App(ctx context.Context, app domain.AppName) (domain.Reference, error)
	Now() domain.Instant
}

// A Reactor reacts. Fill in the first two fields; the rest of the zero Reactor
// is ready.
type Reactor struct {
	Ledger Ledger
	Log    *slog.Logger

	waiting   timetable
	birthdays map[domain.StreamID]birthday

	mu    sync.Mutex
	state State
	err   error
}

// A State is how far a Reactor is.
type State struct {
	Position eventstore.Position // of the last record that it knows
	Waiting  int                 // follow-ups whose time has not come
	Doubtful int                 // birth dates that are none, or contradict the band beside them
	Refused  int                 // follow-ups that the ledger did not take
}

// State returns how far r is, and the error that stopped it, if one did.
func (r *Reactor) State() (State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, r.err
}

func (r *Reactor) note(change func(*State)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.state)
	r.state.Waiting = r.waiting.Len()
}

// Run reacts until ctx is done, which is no error, or a record cannot be read.
// It is called once.
func (r *Reactor) Run(ctx context.Context) error {
	r.birthdays = map[domain.StreamID]birthday{}
	err := r.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = fmt.Errorf("react after %d: %w", r.state.Position, err)
	return r.err
}

func (r *Reactor) run(ctx context.Context) error {
	head, err := r.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	at := eventstore.Position(0)
	for ctx.Err() == nil {
		if at >= head {
			if err := r.fire(ctx); err != nil {
				return err
			}
		}
		if at, err = r.listen(ctx, at, at >= head); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// listen follows the log until something was read or, if live, until the next
// follow-up is due.
func (r *Reactor) listen(ctx context.Context, at eventstore.Position, live bool) (eventstore.Position, error) {
	follow := ctx
	if due, ok := r.waiting.next(); live && ok {
		var stop context.CancelFunc
		follow, stop = context.WithTimeout(ctx, time.Duration(due-r.Ledger.Now())*time.Millisecond)
		defer stop()
	}
	for entries, err := range r.Ledger.Follow(follow, at) {
		if follow.Err() != nil && ctx.Err() == nil {
			return at, nil // it is time
		}
		if err != nil {
			return at, err
		}
		for _, e := range entries {
			if err := r.learn(ctx, e); err != nil {
				return at, err
			}
			at = e.Position
		}
		r.note(func(s *State) { s.Position = at })
		return at, nil
	}
	return at, ctx.Err()
}

// learn takes note of what follows from e, and of what has been done.
func (r *Reactor) learn(ctx context.Context, e codec.Entry) error {
	switch x := e.Event.(type) {
	case domain.PolicyPublished:
		r.waiting.add(versionKey(e.Stream.App, x.Version), x.Effective, r.takeEffect(e.Stream.App, x.Version))
	case domain.PolicyEffective:
		r.waiting.remove(versionKey(e.Stream.App, x.Version))
	case domain.AgeRecorded:
		return r.learnAge(ctx, e, x)
	case domain.SubjectClosed, domain.SubjectReassigned:
		r.forget(e.Stream)
	}
	return nil
}

func versionKey(app domain.AppName, version domain.Hash) string {
	return "policy " + string(app) + " " + version.String()
}

// takeEffect records that a version binds from now on.
func (r *Reactor) takeEffect(app domain.AppName, version domain.Hash) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := r.Ledger.Execute(ctx, request(app, "effective "+version.String(), 0, domain.Say{Event: domain.PolicyEffective{Version: version}}))
		return err
	}
}

// request is a follow-up. Its id says what it follows from, and is the same
// whenever it is made.
func request(app domain.AppName, id string, at domain.Instant, cmd domain.Command) ledger.Request {
	return ledger.Request{
		App: app, Source: "react", ID: id, Body: []byte(id), At: at,
		Actor: string(domain.System), RecordedBy: "react", Command: cmd,
	}
}

// How long a follow-up waits that met a broken ledger.
const (
	firstTry = 100 * time.Millisecond
	lastTry  = 30 * time.Second
)

// fire does what is due.
func (r *Reactor) fire(ctx context.Context) error {
	for {
		do, ok := r.waiting.pop(r.Ledger.Now())
		if !ok {
			return nil
		}
		if err := r.insist(ctx, do); err != nil {
			return err
		}
		r.note(func(*State) {})
	}
}

// insist does one follow-up until the ledger has taken or refused it.
func (r *Reactor) insist(ctx context.Context, do func(context.Context) error) error {
	for wait := firstTry; ; wait = min(2*wait, lastTry) {
		err := do(ctx)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if refusal, no := errors.AsType[domain.Refusal](err); no {
			r.note(func(s *State) { s.Refused++ })
			r.log().Warn("a follow-up was refused", "code", refusal.Code)
			return nil
		}
		if _, unreadable := errors.AsType[*codec.UnreadableError](err); unreadable {
			return err
		}
		r.log().Warn("a follow-up waits: the ledger is broken", "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (r *Reactor) log() *slog.Logger {
	if r.Log == nil {
		return slog.Default()
	}
	return r.Log
}
