package erasing

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"

	"golang.org/x/sync/errgroup"
)

// chunk is how many persons there are between two writings of the tables, where nobody said.
const chunk = 5_000

// A round is what became of one chunk.
type round struct {
	erased, already, kept, persons int64
	part                           int // where the next one begins
	after                          vault.Pseudonym
	last                           bool
	rows                           []Refused
	names                          []vault.Pseudonym // who was erased
	of                             Job               // as it was when the round began
	begun                          [][]byte          // the rows of whom it has set about
	suffix                         string            // of its rows: where it ended a chunk may have ended before
}

// A Refused is somebody who may not be erased, and why.
type Refused struct {
	Person string
	Code   string
	Text   string
}

// step works on the next chunk of a job, and reports whether there are more. Of a job that
// was cancelled it counts what the last chunk did, if nobody has.
func (j *Jobs) step(ctx context.Context, app ident.AppName, id string) (more bool, err error) {
	job, err := j.need(ctx, app, id)
	if err != nil {
		return false, err
	}
	r := round{part: max(1, job.Part), after: job.After, of: job}
	if err := j.recount(ctx, job, &r); err != nil {
		return false, err
	}

	if job.State == Running {
		why, err := j.hindered(ctx, job)
		if err != nil {
			return false, err
		}
		if why != "" {
			now, err := j.stop(ctx, job, why)
			return err == nil && now.State == Cancelled && len(r.begun) > 0, err
		}
		if err := j.order(ctx, job, &r); err != nil {
			return false, err
		}
	} else if len(r.begun) == 0 {
		return false, nil
	}
	if _, err := j.Ledger.FinishErasures(ctx); err != nil {
		return false, err
	}

	now, err := j.finish(ctx, app, id, r)
	return now.State == Running, err
}

// hindered returns why a job may not go on, empty: it may.
func (j *Jobs) hindered(ctx context.Context, job Job) (why string, err error) {
	if j.takesTwo(job.App) && !job.isOfTwo() {
		return errNamesOnly, nil
	}
	if j.takesTwo(job.App) && j.Still != nil {
		err := j.Still(ctx, job.App, job.By)
		if no, refused := errors.AsType[refusal.Refusal](err); refused {
			return no.Text + ": let others begin it anew", nil
		}
		if err != nil {
			return "", err
		}
	}
	if job.Approved == (content.Hash{}) {
		return "", nil // it was started before digests were asked for
	}

	// Another process may have taken a part while this job was being started.
	is, err := j.Digest(ctx, job)
	if err == nil && is != job.Approved {
		why = errOtherList
	}
	return why, err
}

// Why a job ends by itself.
const (
	errNamesOnly = "it was ordered when nobody was authenticated, and takes two principals now: begin it anew"
	errOtherList = "what was handed over is not what was approved: begin it anew"
)

// stop cancels a job that may not go on.
func (j *Jobs) stop(ctx context.Context, job Job, why string) (Job, error) {
	return j.move(ctx, job.App, job.ID, func(job *Job) error {
		if job.State == Running {
			job.State, job.Ended, job.Error = Cancelled, j.Ledger.Now(), why
		}
		return nil
	})
}

// recount counts whom a chunk erased that was interrupted. Of a list that goes on they are
// met once more, and counted then; everybody of an app is who is still there.
func (j *Jobs) recount(ctx context.Context, job Job, r *round) error {
	names, keys, err := j.begun(ctx, job)
	if err != nil || len(keys) == 0 {
		return err
	}
	r.begun = keys
	if job.Of == OfIDs && job.State == Running {
		return nil
	}

	// Whom it was ordered to erase may still be there, if the chunk ended between the two.
	if _, err := j.Ledger.FinishErasures(ctx); err != nil {
		return err
	}
	r.suffix = "/again-" + strconv.FormatInt(job.changes, 10) // where this ends, another count may have ended
	counted, err := j.counted(ctx, job)
	if err != nil {
		return err
	}
	for _, name := range names {
		if counted[name] {
			continue
		}
		there, err := j.Ledger.Kept(ctx, job.App, name)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		r.persons++
		if err := j.gone(ctx, job, name, r); err != nil {
			return err
		}
	}
	if job.State == Done { // whom another order erased was met by who finished the job
		r.already, r.persons = 0, r.erased
	}
	return nil
}

// counted returns whom a job is known to have erased.
func (j *Jobs) counted(ctx context.Context, job Job) (map[vault.Pseudonym]bool, error) {
	all := map[vault.Pseudonym]bool{}
	for name, err := range j.erased(ctx, job) {
		if err != nil {
			return nil, err
		}
		all[name] = true
	}
	return all, nil
}

// finish notes what became of a chunk. It counts also if somebody cancelled the job
// meanwhile.
func (j *Jobs) finish(ctx context.Context, app ident.AppName, id string, r round) (Job, error) {
	return j.again(func() (Job, error) { return j.finishRound(ctx, app, id, r) })
}

func (j *Jobs) finishRound(ctx context.Context, app ident.AppName, id string, r round) (Job, error) {
	job, err := j.need(ctx, app, id)
	if err != nil {
		return Job{}, err
	}
	if job.changes != r.of.changes {
		if err := j.leaveOut(ctx, job, &r); err != nil {
			return Job{}, err
		}
	}

	job.Erased += r.erased
	job.Already += r.already
	job.Kept += r.kept
	job.Part, job.After = r.part, r.after
	if job.Of != OfIDs {
		job.Persons += r.persons
	}
	if job.State == Running {
		job.Error = ""
		if r.last {
			job.State, job.Ended = Done, j.Ledger.Now()
		}
	}
	return job, j.change(ctx, job, eventstore.Change{Put: rowsOf(app, id, r), Delete: r.begun})
}

// leaveOut takes from a round what another process has counted: one that slept believes in its
// turn for a while, and works on a chunk beside the one that has it. Whom both ordered to erase
// is counted by who is quicker.
func (j *Jobs) leaveOut(ctx context.Context, job Job, r *round) error {
	counted, err := j.counted(ctx, job)
	if err != nil {
		return err
	}
	before := len(r.names)
	r.names = slices.DeleteFunc(slices.Clone(r.names), func(name vault.Pseudonym) bool { return counted[name] })
	r.erased -= int64(before - len(r.names))
	r.persons -= int64(before - len(r.names))
	r.suffix = "/beside-" + strconv.FormatInt(job.changes, 10) // the other's chunk may have ended where this one does
	if job.Part == r.of.Part && job.After == r.of.After {
		return nil // nobody has finished a chunk meanwhile
	}

	// The other one has met everybody up to where it is. Of a list it meets the others as well.
	r.part, r.after, r.last = job.Part, job.After, false
	r.already, r.kept, r.rows = 0, 0, nil
	if job.Of == OfIDs {
		r.names = nil
	}
	r.erased, r.persons = int64(len(r.names)), int64(len(r.names))
	return nil
}

// order orders to erase the persons of one chunk. It ends early if the job is cancelled:
// the next round begins where this one ended.
func (j *Jobs) order(ctx context.Context, job Job, r *round) error {
	most, n := j.Chunk, 0
	if most == 0 {
		most = chunk
	}

	ordered := func() int { return int(r.erased + r.already + r.kept) }
	var some []vault.Pseudonym
	for name, err := range j.persons(ctx, job, r) {
		if err != nil {
			return err
		}
		some = append(some, name)
		if n++; len(some) < min(atOnce, most-ordered()) {
			continue
		}
		if err := j.orderSome(ctx, job, some, r); err != nil {
			return err
		}
		some = some[:0]
		if ordered() >= most || n >= 20*most || j.cancelled(ctx, job) {
			return nil
		}
	}
	if err := j.orderSome(ctx, job, some, r); err != nil {
		return err
	}

	r.last = true
	return ctx.Err()
}

// atOnce is how many persons are ordered to be erased side by side, so that they share the
// disk's syncs.
const atOnce = 16

// orderSome orders to erase some persons side by side.
func (j *Jobs) orderSome(ctx context.Context, job Job, some []vault.Pseudonym, r *round) error {
	if len(some) == 0 {
		return nil
	}
	if err := j.rest(ctx); err != nil {
		return err
	}
	if err := j.setAbout(ctx, job, r, some); err != nil {
		return err
	}

	each := make([]round, len(some))
	var all errgroup.Group // who is ordered already is not given up because another one fails
	for i, name := range some {
		all.Go(func() error { return j.orderOne(ctx, job, name, &each[i]) })
	}
	if err := all.Wait(); err != nil {
		return err // who was ordered is counted when the chunk is begun again
	}

	for _, one := range each {
		r.erased, r.already, r.kept, r.persons = r.erased+one.erased, r.already+one.already, r.kept+one.kept,
			r.persons+one.persons
		r.rows, r.names = append(r.rows, one.rows...), append(r.names, one.names...)
	}
	r.after = some[len(some)-1]
	return nil
}

func (j *Jobs) cancelled(ctx context.Context, job Job) bool {
	now, err := j.need(ctx, job.App, job.ID)
	return err == nil && now.State == Cancelled
}

// rest waits while others wait for the ledger, but not for ever: a ledger that is always
// busy erases slowly.
func (j *Jobs) rest(ctx context.Context) error {
	for range 4 {
		if j.Busy == nil || !j.Busy() {
			break
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// orderOne orders to erase one person. The order's id derives from the job and the person,
// so that ordering it twice does nothing.
func (j *Jobs) orderOne(ctx context.Context, job Job, name vault.Pseudonym, r *round) error {
	if job.Of == OfClosed {
		s, err := j.Ledger.Subject(ctx, ident.SubjectStream(job.App, name.String()))
		if err != nil || s.Ended() == 0 || s.Ended() >= job.ClosedBefore {
			return err
		}
	}

	r.persons++
	there, err := j.Ledger.Kept(ctx, job.App, name)
	if err != nil {
		return err
	}
	if !there {
		return j.gone(ctx, job, name, r)
	}

	req := ledger.Request{
		App: job.App, Source: source, ID: job.ID + " " + name.String(), Actor: string(ident.Operator),
		RecordedBy: job.RecordedBy,
		Command:    domain.OrderErasure{Reason: job.Reason, Evidence: job.Evidence, By: job.By},
	}
	if j.takesTwo(job.App) {
		req.ApprovedBy = job.By[1] // who started it, see [Jobs.Start]
	}

	_, err = j.Ledger.OrderErasure(ctx, req, name)
	no, refused := errors.AsType[refusal.Refusal](err)
	switch {
	case refused && no.Code == refusal.AlreadyOver, errors.Is(err, vault.ErrErased):
		return j.gone(ctx, job, name, r)
	case refused && no.Code == refusal.UnknownPerson && job.Of == OfAll:
		// Who looked at persons of the app has an entry for their name, and nothing that was
		// recorded of them: they are named, and are no person who was meant.
		r.persons--
		r.rows = append(r.rows, Refused{Person: name.String(), Code: string(no.Code), Text: no.Text})
		return nil
	case refused:
		r.kept++
		r.rows = append(r.rows, Refused{Person: name.String(), Code: string(no.Code), Text: no.Text})
		return nil
	case err != nil:
		return err
	}

	r.erase(name)
	return nil
}

// erase counts whom the job erased.
func (r *round) erase(name vault.Pseudonym) {
	r.erased++
	r.names = append(r.names, name)
}

// source is what orders of jobs come from.
const source = "erasure-job"

// gone counts whose entry is not there any more: by this job, in a chunk that was begun
// before, or by another order.
func (j *Jobs) gone(ctx context.Context, job Job, name vault.Pseudonym, r *round) error {
	ours := false
	for e, err := range j.Ledger.Stream(ctx, ident.SubjectStream(job.App, name.String())) {
		if err != nil {
			return err
		}
		if order, is := e.Event.(domain.ErasureOrdered); is {
			order.Proof = domain.KeptProof{} // what is kept of somebody is for the law to say, and not for a job
			ours = e.RecordedBy == job.RecordedBy && e.Recorded >= job.Began &&
				order == domain.ErasureOrdered{Reason: job.Reason, Evidence: job.Evidence, By: job.By}
		}
	}

	if ours {
		r.erase(name)
	} else {
		r.already++
	}
	return nil
}
