// Package followup does what must follow from an event: it follows the log and
// executes commands whose ids derive from cause and target, so that doing it
// twice, or in several processes, does nothing more. Where several processes serve one
// ledger, each of them learns what is to come and one at a time acts, see
// [Process.Turn]: the others hear from the log what it has done.
//
// It knows what is still to come: nothing is due before all that was recorded is known.
// What is owed lies in rows, most of it being due in weeks; the rest is in memory. Now and then, and when it ends, it keeps a checkpoint of that
// beside the log, and goes on from there when it starts again. A follow-up that is
// refused is not tried again; while the ledger is broken it is tried until it is
// not. A record that it cannot read stops it.
//
// Duties. A fact opens what the policies promise for its kind. A fact of a person's
// history says itself what is owed since; of any other, and of those recorded before
// facts did, that is recorded here, in a stream that is named after the fact. A later fact in the same place (of the person, the
// incident, the app as a whole) meets it, also if it came before the process
// did. What is open is said to be at risk, then overdue, and is computed again
// when a calendar is published. Who has data is taken from the log before the
// fact, never from what is known since, so that every process says the same.
//
// Links. An opt-out reaches every history of the same person. Where a grant of
// another history ends by it, or by the link that lets an earlier one reach it, what
// is to be stopped and deleted is owed for that history too, in a stream that is
// named after the opt-out and the history. The reply is owed once, to who said it.
//
// Groups. What was said to a group of apps is asked of every app by the endpoint,
// one after the other, so that the caller hears what each of them says. A
// pseudonym leads from one app to no other, and no outside id is in the log: so
// the first app that records it keeps what was said sealed beside the fact, with
// the person's own key. If it is not recorded a minute later that all were told,
// the process opens that, which is a recorded access, and asks them all again by
// the same id. Of who is erased in between the other apps hear nothing.
package followup

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"log/slog"
	"sync"
	"time"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/tracing"

	"go.opentelemetry.io/otel/trace"
)

// A Ledger is what a Process stands on.
type Ledger interface {
	Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error]
	Head(ctx context.Context) (eventstore.Position, error)
	Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error)
	ExecuteOn(ctx context.Context, stream ident.StreamID, req ledger.Request) (ledger.Receipt, error)
	Subject(ctx context.Context, stream ident.StreamID) (domain.Subject, error)
	SubjectAt(ctx context.Context, stream ident.StreamID, at eventstore.Position) (domain.Subject, error)
	Stream(ctx context.Context, stream ident.StreamID) iter.Seq2[codec.Entry, error]
	Access(ctx context.Context, a ledger.Access) (ledger.Opened, error)
	App(ctx context.Context, app ident.AppName) (domain.Reference, error)
	Now() deadline.Instant
}

// A Process follows up. Fill in the first two fields; the rest of the zero Process
// is ready.
type Process struct {
	Ledger Ledger
	Log    *slog.Logger

	// Shipped are the calendars that the program comes with. An app has those
	// of its jurisdiction, unless others of the year were published for it.
	Shipped []deadline.Calendar

	// Rows are where checkpoints are kept, and what is open; no other process has them. Nil:
	// memory, and the log is read from its beginning at every start. Every is how many records come between two of them;
	// zero: 50,000, or more if much is remembered.
	Rows  eventstore.Rows
	Every int

	// Turn says whether this process follows up now, where several serve one ledger: each
	// learns, so that it can take over at once, and one acts. Should two act for a moment,
	// nothing is recorded twice. Nil: there is no other.
	Turn func() bool

	// Traces knows in which trace a record was made; nil: nothing is traced.
	Traces *tracing.Traces

	shelf     shelf
	at        mark // the last record that it knows
	kept      mark // and that of the newest checkpoint
	since     int  // how many records came since that
	torn      bool // the next record was learned in part: what is known is of no position
	waiting   timetable
	birthdays map[ident.StreamID]birthday
	apps      map[ident.AppName]*app
	groups    map[ident.AppName]string // the group of every app, as the log has it so far

	mu    sync.Mutex
	state State
	err   error
}

// A State is how far a Process is.
type State struct {
	Position eventstore.Position // of the last record that it knows
	Waiting  int                 // follow-ups whose time has not come
	Doubtful int                 // birth dates that are none, or contradict the band beside them
	Refused  int                 // follow-ups that the ledger did not take
}

// State returns how far r is, and what keeps it from going on, if something does.
func (r *Process) State() (State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, r.err
}

func (r *Process) note(change func(*State)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.state)
	r.state.Waiting = r.waiting.Len() + r.shelf.timed
}

// Run follows up until ctx is done, which is no error, or a record cannot be read. While
// something that it needs is away it says so in [Process.State], and tries again. It is
// called once.
func (r *Process) Run(ctx context.Context) error {
	resumed := false
	for wait := firstTry; ; wait = min(2*wait, lookAgain) {
		before := r.at
		err := r.attempt(ctx, &resumed)
		if ctx.Err() != nil {
			if resumed {
				r.part(ctx)
			}
			return nil
		}
		err = fmt.Errorf("follow up after %d: %w", r.at.position, err)
		r.failed(err)
		if _, unreadable := errors.AsType[*codec.UnreadableError](err); unreadable {
			return err
		}

		if r.at != before {
			wait = firstTry
		}
		r.log().Warn("the follow-up process waits", "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// lookAgain is how long Run waits at most until it looks whether what was away is back.
const lookAgain = 5 * time.Second

// attempt runs until something goes wrong. What is known is read from the checkpoint at
// first, and again where it was learned in part.
func (r *Process) attempt(ctx context.Context, resumed *bool) error {
	if r.torn || !*resumed {
		r.at, r.kept, r.torn = mark{}, mark{}, false
		r.note(func(s *State) { s.Position, s.Doubtful = 0, 0 })
		err := r.resume(ctx)
		if *resumed = err == nil; err != nil {
			return err
		}
	}
	err := r.run(ctx)
	if errors.Is(err, errRow) {
		r.torn = true
		err = errors.Join(err, r.shelf.disown(ctx))
	}
	return err
}

// failed takes down what keeps r from going on; nil: nothing does.
func (r *Process) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// run does what is due once everything is known that was recorded before it
// was: what has been done by then is not said to be undone.
func (r *Process) run(ctx context.Context) error {
	for ctx.Err() == nil {
		now := r.Ledger.Now()
		head, err := r.Ledger.Head(ctx)
		for err == nil && r.at.position < head {
			err = r.listen(ctx, ctx)
		}
		if err == nil && r.acts() {
			err = r.fire(ctx, now)
		}
		if err == nil {
			r.failed(nil)
			r.keepSometimes(ctx)
			err = r.wait(ctx)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// acts reports whether this process follows up now.
func (r *Process) acts() bool { return r.Turn == nil || r.Turn() }

// turnEvery is how often is looked whose turn it is, while another process has it and
// something is due.
const turnEvery = 500 * time.Millisecond

// wait follows the log until something was read, or the next follow-up is due.
func (r *Process) wait(ctx context.Context) error {
	due, ok, err := r.soonest(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return r.listen(ctx, ctx)
	}
	until := time.Duration(due-r.Ledger.Now()) * time.Millisecond
	if !r.acts() {
		until = max(until, turnEvery)
	}
	follow, stop := context.WithTimeout(ctx, until)
	defer stop()
	return r.listen(ctx, follow)
}

// listen follows the log until something was read, or follow is done.
func (r *Process) listen(ctx, follow context.Context) error {
	for entries, err := range r.Ledger.Follow(follow, r.at.position) {
		if follow.Err() != nil && ctx.Err() == nil {
			return nil // it is time
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			r.waiting.cause = r.traceOf(e)
			if err := r.learn(ctx, e); err != nil {
				r.torn = true
				return err
			}
			r.at = mark{e.Position, e.ID}
			r.since++
		}
		r.waiting.cause = nil
		if err := r.shelve(ctx); err != nil {
			r.torn = true
			return err
		}
		r.note(func(s *State) { s.Position = r.at.position })
		return nil
	}
	return ctx.Err()
}

// learn takes note of what follows from e, and of what has been done.
func (r *Process) learn(ctx context.Context, e codec.Entry) error {
	r.learnApp(e)
	switch x := e.Event.(type) {
	case domain.CalendarPublished:
		if err := r.moveTouched(ctx, e.Stream.App, x); err != nil {
			return err
		}
	case domain.AgeRecorded:
		if err := r.learnAge(ctx, e, x); err != nil {
			return err
		}
	case domain.SubjectClosed, domain.SubjectReassigned, domain.ErasureOrdered:
		r.forget(e.Stream)
	}
	r.learnGroup(e)
	return r.learnDuty(ctx, e)
}

// learnApp takes note of what the few streams say of which an app has one each:
// after a checkpoint they are read again, and it has nothing of them.
func (r *Process) learnApp(e codec.Entry) {
	a := r.app(e.Stream.App)
	switch x := e.Event.(type) {
	case domain.AppRegistered:
		r.groups[e.Stream.App] = x.App.Group
		r.ship(e.Stream, x.App)
	case domain.CalendarPublished:
		r.learnShipped(e.Stream.App, x.Calendar)
		a.learnCalendar(e)
	case domain.PolicyPublished:
		r.waiting.add(versionKey(e.Stream.App, x.Version), x.Effective, e.Stream, r.takeEffect(e.Stream.App, x.Version))
		a.learnPolicy(e, x)
	case domain.PolicyEffective:
		r.waiting.remove(versionKey(e.Stream.App, x.Version))
	}

	if e.Stream.Noun == ident.ServiceNoun {
		a.service = a.service.Evolve(e.Fact())
	}
}

func versionKey(app ident.AppName, version content.Hash) string {
	return "policy " + string(app) + " " + version.String()
}

// takeEffect records that a version binds from now on.
func (r *Process) takeEffect(app ident.AppName, version content.Hash) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := r.Ledger.Execute(ctx,
			requestFor(app, "effective "+version.String(), 0, domain.Say{Event: domain.PolicyEffective{Version: version}}))
		return err
	}
}

// requestFor returns a follow-up. Its id says what it follows from, and is the same
// whenever it is made.
func requestFor(app ident.AppName, id string, at deadline.Instant, cmd domain.Command) ledger.Request {
	return ledger.Request{
		App: app, Source: "react", ID: id, Body: []byte(id), At: at,
		Actor: string(ident.System), RecordedBy: "react", Command: cmd,
	}
}

// How long a follow-up waits that met a broken ledger.
const (
	firstTry = 100 * time.Millisecond
	lastTry  = 30 * time.Second
)

// How many follow-ups are taken at once, and how many are done at once: those
// of one stream one after the other.
const (
	many  = 1000
	lanes = 32
)

// fire does what is due.
func (r *Process) fire(ctx context.Context, now deadline.Instant) error {
	for {
		due := r.waiting.pop(now, many)
		r.torn = r.torn || len(due) > 0 // what is taken out and not done is in no checkpoint
		timed, err := r.takeDue(ctx, now, many)
		if err != nil {
			return err
		}
		if due = append(due, timed...); len(due) == 0 {
			return nil
		}
		if err := r.do(ctx, due); err != nil {
			return err
		}
		r.torn = false
		r.note(func(*State) {})
	}
}

// do waits until everything is done, so that their appends share the disk's
// syncs.
func (r *Process) do(ctx context.Context, due []*entry) error {
	var lane [lanes][]*entry
	for _, e := range due {
		i := maphash.Comparable(seed, e.todo.on()) % lanes
		lane[i] = append(lane[i], e)
	}

	var errs [lanes]error
	var workers sync.WaitGroup
	for i, list := range lane {
		if len(list) == 0 {
			continue
		}
		workers.Go(func() {
			for _, e := range list {
				if errs[i] = r.follows(ctx, e); errs[i] != nil {
					return
				}
			}
		})
	}

	workers.Wait()
	return errors.Join(errs[:]...)
}

var seed = maphash.MakeSeed()

// follows does one follow-up, in a trace with a link to what it follows from.
func (r *Process) follows(ctx context.Context, e *entry) error {
	if e.cause != nil {
		linked, span := r.Traces.Linked(ctx, *e.cause, "follow up")
		defer span.End()
		ctx = linked
	}
	return r.insist(ctx, e)
}

// traceOf returns the trace in which a record was made; nil if there is none.
func (r *Process) traceOf(e codec.Entry) *trace.SpanContext {
	span, traced := r.Traces.Of(e.ID)
	if !traced {
		return nil
	}
	return &span
}

// insist does one follow-up until the ledger has taken or refused it.
func (r *Process) insist(ctx context.Context, e *entry) error {
	for wait := firstTry; ; wait = min(2*wait, lastTry) {
		err := e.todo.do(ctx, r, e.due)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if refusal, no := errors.AsType[refusal.Refusal](err); no {
			r.note(func(s *State) { s.Refused++ })
			r.log().WarnContext(ctx, "a follow-up was refused", "code", refusal.Code)
			return nil
		}
		if _, unreadable := errors.AsType[*codec.UnreadableError](err); unreadable {
			return err
		}
		r.log().WarnContext(ctx, "a follow-up waits: the ledger is broken", "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (r *Process) log() *slog.Logger {
	if r.Log == nil {
		return slog.Default()
	}
	return r.Log
}
