// Package erasing erases many persons as a job that goes on in the background.
//
// Somebody begins a [Job] and says of whom: by ids that are handed over in parts, or
// everybody of an app, or whose account was closed before a day. Two principals order it,
// as they order to erase one. From then on one process works on it, a chunk of persons at
// a time:
//
//	order   each person of the chunk: the order is recorded, their rows are deleted
//	finish  the tables are written anew once for the chunk, and each person's record says
//	        that it is done
//
// How far it is is a row beside the persons, so that a job goes on after a kill, in
// whatever process has the turn then. A chunk that was begun is begun again: who is erased
// already is not erased twice. A job that is cancelled finishes the chunk's persons that
// were ordered, and leaves the others. Whom a job erased is read in their records, which
// say by whose order it was, so that a chunk that was interrupted is counted as it was.
//
// Where it takes two principals, the second approves what the first handed over, by its
// digest (see [Jobs.Digest]): of a list that is another one by then nobody is erased.
//
// Who may not be erased, as under a legal hold, is passed over and named, by their
// pseudonym, with the reason. Outside ids are looked up when they are handed over, and not
// kept: the rows of a job hold pseudonyms, which say nothing once a person is erased.
//
// The work leaves room: while others wait for the ledger, the job rests.
package erasing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strconv"
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
	"consentledger/eventstore/rehearsal"
	"consentledger/eventstore/vault"
)

// A Ledger is what erasing uses of [ledger.Ledger].
type Ledger interface {
	Pseudonym(ctx context.Context, app ident.AppName, who ident.PersonKey) (string, bool, error)
	Stream(ctx context.Context, stream ident.StreamID) iter.Seq2[codec.Entry, error]
	App(ctx context.Context, app ident.AppName) (domain.Reference, error)
	Subject(ctx context.Context, stream ident.StreamID) (domain.Subject, error)
	Kept(ctx context.Context, app ident.AppName, name vault.Pseudonym) (bool, error)
	Everybody(ctx context.Context, app ident.AppName, after vault.Pseudonym) iter.Seq2[vault.Pseudonym, error]
	OrderErasure(ctx context.Context, req ledger.Request, name vault.Pseudonym) (ledger.Receipt, error)
	FinishErasures(ctx context.Context) (int, error)
	DestroyDue(ctx context.Context, held *ledger.HeldProofs) (int, error)
	Now() deadline.Instant
}

// The states of a job.
const (
	Draft     = "draft"     // ids are being handed over
	Running   = "running"   // it is worked on, or waits for its turn
	Cancelled = "cancelled" // somebody ended it
	Done      = "done"
)

// Of whom a job is.
const (
	OfIDs    = "ids"
	OfAll    = "everybody"
	OfClosed = "closed"
)

// A Job is an erasure of many, and how far it is. It names nobody.
type Job struct {
	ID           string
	App          ident.AppName
	Of           string
	ClosedBefore deadline.Instant // of [OfClosed]
	Reason       string
	By           [2]string
	Evidence     content.Hash
	Began        deadline.Instant
	RecordedBy   string
	Approved     content.Hash // the digest that whoever started it named; zero: none

	State   string
	Parts   int   // ids that were handed over, in parts
	Persons int64 // who is known to be meant; of an app as a whole, as far as it was looked through
	Unknown int64 // ids that lead to nobody
	Erased  int64
	Already int64 // were erased by another order
	Kept    int64 // may not be erased
	Part    int   // the part that is worked on
	After   vault.Pseudonym
	Ended   deadline.Instant // zero: it goes on
	Error   string           // why it does not go on now, and is tried again; or why the ledger cancelled it

	changes int64 // how often it was changed; zero: it is new, or of an older program
}

// Most are the bounds of what is handed over.
const (
	MostInPart = 10_000
	MostParts  = 1_000
	MostJobs   = 100 // of one app, that have not ended
)

// Jobs are all jobs of a ledger. Its methods may be called concurrently.
type Jobs struct {
	Ledger Ledger
	Rows   eventstore.Rows
	Log    *slog.Logger
	Busy   func() bool // others wait for the ledger; nil: nobody does

	// Two says whether erasing persons of an app takes two authenticated principals: one
	// begins a job, and another, for whom Same is false, starts it. Nil: it takes two names.
	Two  func(app ident.AppName) bool
	Same func(one, other string) bool

	// Still refuses what two principals ordered if one of them may not any more; nil: nobody
	// loses a role.
	Still func(ctx context.Context, app ident.AppName, by [2]string) error

	Chunk int // persons between two writings of the tables; zero: 5,000

	// mu keeps the workers of this process from making a change again and again that another
	// one was quicker with. What another process changes is seen by the rows, see rows.go.
	mu   sync.Mutex
	wake chan struct{}
	once sync.Once
}

// Rehearse returns jobs as they are now. What is done with them stays in memory, and nobody
// works on them.
func (j *Jobs) Rehearse() *Jobs {
	return &Jobs{
		Ledger: j.Ledger, Rows: rehearsal.OverRows(j.Rows), Log: j.Log,
		Two: j.Two, Same: j.Same, Still: j.Still,
	}
}

// A Begin is what somebody orders.
type Begin struct {
	ID           string // names the job, so that beginning it again is the same one; empty: random
	Of           string
	ClosedBefore deadline.Instant
	Reason       string
	By           [2]string
	Evidence     content.Hash
	RecordedBy   string
}

// Unknown is the code of a job that is not there.
const Unknown refusal.Code = "unknown-job"

// Begin begins a job. One of ids begins as a draft: [Jobs.Add] says whose, [Jobs.Start]
// that these are all. So does every job that takes two principals: the second starts it.
func (j *Jobs) Begin(ctx context.Context, app ident.AppName, b Begin) (Job, error) {
	if _, err := j.Ledger.App(ctx, app); err != nil {
		return Job{}, err
	}
	two := j.takesTwo(app)
	if !two && slices.Contains(b.By[:], ledger.PendingApprover) {
		return Job{}, refuse("by", "name who orders it: "+ledger.PendingApprover+
			" stands for somebody who is authenticated and starts it")
	}
	if two {
		if b.By != [2]string{} {
			return Job{}, refusal.Refusal{Code: refusal.NamesNotTaken, Path: "by",
				Text: "leave it out: who orders it is who begins the job, and another principal who starts it"}
		}
		b.By = [2]string{b.RecordedBy, ledger.PendingApprover}
	}
	if err := b.check(); err != nil {
		return Job{}, err
	}
	job := Job{
		ID: b.ID, App: app, Of: b.Of, ClosedBefore: b.ClosedBefore, Reason: b.Reason, By: b.By, Evidence: b.Evidence,
		Began: j.Ledger.Now(), RecordedBy: b.RecordedBy, State: Draft,
	}
	if job.ID == "" {
		job.ID = rand.Text()
	}
	if b.Of != OfIDs && !two {
		job.State = Running
	}
	return j.again(func() (Job, error) { return j.beginNew(ctx, job) })
}

// again does what changes a job until no other process was quicker.
func (j *Jobs) again(do func() (Job, error)) (job Job, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for range tries {
		if job, err = do(); !errors.Is(err, eventstore.ErrCondition) {
			return job, err
		}
	}
	return job, err
}

// beginNew writes a job, or returns the one of its id that was ordered alike.
func (j *Jobs) beginNew(ctx context.Context, job Job) (Job, error) {
	if old, has, err := j.read(ctx, job.App, job.ID); err != nil || has {
		if err == nil && !old.same(job) {
			err = refusal.Refusal{Code: refusal.IDReused, Path: "id", Text: "another job has this id"}
		}
		return old, err
	}

	open, err := j.open(ctx, job.App)
	if err != nil {
		return Job{}, err
	}
	if open >= MostJobs {
		return Job{}, refuse("", fmt.Sprintf("%d jobs of this app have not ended: wait for some, or cancel them", open))
	}
	defer j.awake()
	return job, j.write(ctx, job)
}

func (b Begin) check() error {
	switch {
	case b.ID != "" && !isID(b.ID):
		return refuse("id", "want 1 to 64 letters, digits and dashes")
	case b.By[0] == "" || b.By[1] == "" || b.By[0] == b.By[1]:
		return refusal.Refusal{Code: refusal.TwoPersons, Path: "by", Text: "erasing takes two different persons"}
	case b.Of != OfIDs && b.Of != OfAll && b.Of != OfClosed:
		return refuse("of", "want ids, everybody or closed")
	case b.Of == OfClosed && b.ClosedBefore == 0:
		return refuse("closed_before", "of whom was closed: say before when, as in 2026-01-31T00:00:00Z")
	case b.Of != OfClosed && b.ClosedBefore != 0:
		return refuse("closed_before", "goes with of: closed")
	}
	return nil
}

func refuse(path, text string) error {
	return refusal.Refusal{Code: refusal.Malformed, Path: path, Text: text}
}

func isID(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

// same reports whether both were ordered alike, o now and j before: j may have been
// started since.
func (j Job) same(o Job) bool {
	by := j.By == o.By || o.By[1] == ledger.PendingApprover && j.By[0] == o.By[0]
	return by && j.Of == o.Of && j.ClosedBefore == o.ClosedBefore && j.Reason == o.Reason && j.Evidence == o.Evidence
}

// NeedsApprover reports whether a job waits for another principal to start it.
func (j Job) NeedsApprover() bool { return j.State == Draft && j.By[1] == ledger.PendingApprover }

// isOfTwo reports whether two authenticated principals ordered a job: one began it, and
// another started it. Names that somebody wrote down, when nobody was authenticated, are
// not that.
func (j Job) isOfTwo() bool {
	return j.RecordedBy != ident.Unauthenticated && j.By[0] == j.RecordedBy && j.By[1] != j.By[0] &&
		j.By[1] != ledger.PendingApprover
}

func (j *Jobs) takesTwo(app ident.AppName) bool { return j.Two != nil && j.Two(app) }

// Add hands over ids. Parts are numbered from 1; a part that is handed over again takes the
// place of the first, so that whoever does not know whether one arrived sends it again.
//
// By is who hands them over. Where erasing takes two principals it is who began the job:
// whoever starts it would say alone whom it erases, in the other's name.
func (j *Jobs) Add(
	ctx context.Context, app ident.AppName, id, by string, part int, who []ident.PersonKey,
) (Job, error) {
	switch {
	case part < 1 || part > MostParts:
		return Job{}, refuse("part", fmt.Sprintf("want 1 to %d", MostParts))
	case len(who) == 0 || len(who) > MostInPart:
		return Job{}, refuse("subjects", fmt.Sprintf("want 1 to %d ids in a part", MostInPart))
	}
	var names []vault.Pseudonym
	unknown := 0
	for _, w := range who {
		text, known, err := j.Ledger.Pseudonym(ctx, app, w)
		if err != nil {
			return Job{}, err
		}
		if !known {
			unknown++
			continue
		}
		name, err := vault.ParsePseudonym(text)
		if err != nil {
			return Job{}, err
		}
		names = append(names, name)
	}
	names = inOrder(names)
	return j.again(func() (Job, error) { return j.addPart(ctx, app, id, by, part, names, unknown) })
}

// addPart hands over a part whose ids were looked up.
func (j *Jobs) addPart(
	ctx context.Context, app ident.AppName, id, by string, part int, names []vault.Pseudonym, unknown int,
) (Job, error) {
	job, err := j.need(ctx, app, id)
	if err != nil {
		return Job{}, err
	}
	if job.State != Draft {
		return Job{}, refusal.Refusal{Code: refusal.IllegalMove,
			Text: "ids are handed over to a draft, and this job is " + job.State}
	}
	if j.takesTwo(app) && by != job.By[0] {
		return Job{}, refusal.Refusal{Code: refusal.NotTheProposer,
			Text: "who began the job hands over its ids: another principal may only start it, or begin one of " +
				"their own"}
	}
	if part > job.Parts+1 {
		return Job{}, refuse("part", "the next part is "+strconv.Itoa(job.Parts+1))
	}
	old, had, err := j.readPart(ctx, app, id, part)
	if err != nil {
		return Job{}, err
	}
	if had {
		job.Persons -= int64(len(old.names))
		job.Unknown -= int64(old.unknown)
	}
	job.Parts = max(job.Parts, part)
	job.Persons += int64(len(names))
	job.Unknown += int64(unknown)
	return job, j.write(ctx, job, partRow(app, id, part, names, unknown))
}

// Start says that all ids are handed over; by is who says so. Where erasing takes two
// principals it is the second, who approves what has the digest. Else the digest may be
// zero: whoever handed over the ids starts the job themselves.
func (j *Jobs) Start(ctx context.Context, app ident.AppName, id, by string, digest content.Hash) (Job, error) {
	return j.move(ctx, app, id, func(job *Job) error {
		if job.State == Running || job.State == Done {
			return nil
		}
		if err := j.checkStart(*job, by); err != nil {
			return err
		}

		two := j.takesTwo(app)
		if two && j.Still != nil {
			if err := j.Still(ctx, app, [2]string{job.By[0], by}); err != nil {
				return err
			}
		}
		if two && digest == (content.Hash{}) {
			return refuse("digest", "say what you approve, by the digest that the job shows: sha256: and 64 "+
				"lower-case hex digits")
		}
		now, err := j.Digest(ctx, *job)
		if err != nil {
			return err
		}
		if digest != (content.Hash{}) && digest != now {
			return errChanged
		}

		if two {
			job.By[1] = by
		}
		job.State, job.Approved = Running, now
		return nil
	})
}

// checkStart refuses to let somebody start a job.
func (j *Jobs) checkStart(job Job, by string) error {
	two := j.takesTwo(job.App)
	switch {
	case job.State != Draft:
		return refusal.Refusal{Code: refusal.IllegalMove, Text: "the job is " + job.State}
	case job.Of == OfIDs && job.Parts == 0:
		return refuse("", "nobody's ids were handed over yet")
	case two && !job.NeedsApprover():
		return refusal.Refusal{Code: refusal.ApprovalNeeded,
			Text: "the job was begun when nobody was authenticated: cancel it, and begin it anew"}
	case !two && job.NeedsApprover():
		return refusal.Refusal{Code: refusal.ApprovalNeeded,
			Text: "the job waits for another principal who is authenticated, and nobody is now: cancel it, and " +
				"begin it anew"}
	case two && (by == job.By[0] || j.Same != nil && j.Same(job.By[0], by)):
		return refusal.Refusal{Code: refusal.SamePrincipal,
			Text: "who began this may not start it: it takes another principal, and all keys of one holder are one"}
	}
	return nil
}

// Cancel ends a job. Who was erased stays erased.
func (j *Jobs) Cancel(ctx context.Context, app ident.AppName, id string) (Job, error) {
	return j.move(ctx, app, id, func(job *Job) error {
		switch job.State {
		case Done:
			return refusal.Refusal{Code: refusal.IllegalMove, Text: "the job is done"}
		case Draft, Running:
			job.State, job.Ended, job.Error = Cancelled, j.Ledger.Now(), ""
		}
		return nil
	})
}

func (j *Jobs) move(ctx context.Context, app ident.AppName, id string, how func(*Job) error) (Job, error) {
	return j.again(func() (Job, error) {
		job, err := j.need(ctx, app, id)
		if err != nil {
			return Job{}, err
		}
		if err := how(&job); err != nil {
			return Job{}, err
		}
		defer j.awake()
		return job, j.write(ctx, job)
	})
}

// Get returns a job.
func (j *Jobs) Get(ctx context.Context, app ident.AppName, id string) (Job, error) {
	return j.need(ctx, app, id)
}

func (j *Jobs) need(ctx context.Context, app ident.AppName, id string) (Job, error) {
	job, has, err := j.read(ctx, app, id)
	if err == nil && !has {
		err = refusal.Refusal{Code: Unknown, Path: "id", Text: "there is no such job of this app"}
	}
	return job, err
}

// awake tells Run that there may be work.
func (j *Jobs) awake() {
	select {
	case j.bell() <- struct{}{}:
	default:
	}
}

func (j *Jobs) bell() chan struct{} {
	j.once.Do(func() { j.wake = make(chan struct{}, 1) })
	return j.wake
}

// How long Run waits before it looks for jobs that another process began, and before it
// tries again what failed.
const (
	lookEvery = 10 * time.Second
	tryEvery  = 10 * time.Second
)

// Run works on jobs until ctx is done, one after the other. One process at a time does.
func (j *Jobs) Run(ctx context.Context) {
	for ctx.Err() == nil {
		worked, err := j.next(ctx)
		if err != nil && ctx.Err() == nil {
			j.Log.Error("a job that erases persons is held up, and is tried again", "error", err)
		}
		if worked && err == nil {
			continue
		}
		wait := lookEvery
		if err != nil {
			wait = tryEvery
		}
		select {
		case <-j.bell():
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// next works on the job that was begun first, until it has ended and all whom it erased
// are counted.
func (j *Jobs) next(ctx context.Context) (worked bool, err error) {
	job, has, err := j.first(ctx)
	if err != nil || !has {
		return false, err
	}

	for ctx.Err() == nil {
		more, err := j.step(ctx, job.App, job.ID)
		if err != nil {
			_, noted := j.move(ctx, job.App, job.ID, func(job *Job) error {
				if job.State == Running {
					job.Error = "it cannot go on now, and is tried again; the server's log says why"
				}
				return nil
			})
			return true, errors.Join(err, noted)
		}
		if !more {
			return true, nil
		}
	}
	return true, ctx.Err()
}
