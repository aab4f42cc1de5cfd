package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/vault"
)

// An app that was offline, or an import, sends many events of one person at once. Each is
// a request of its own, with a decision, a receipt and records as if it had come alone;
// but one after the other they would wait for a disk sync each. So they are decided one
// on top of the other, and appended by one write.

// A Wish is a request of several, and the context that it came with: the trace of the one
// is not that of the next.
type Wish struct {
	Context context.Context
	Request Request
}

// A Result is what became of a request, as [Ledger.Execute] says it.
type Result struct {
	Receipt Receipt
	Err     error
}

// MostTogether is how many requests one write holds at most.
const MostTogether = 100

const (
	bytesTogether = 1 << 20 // of records in one write, about

	// Records of one stream are a millisecond apart, so what is appended together would
	// drive the times of all that is recorded ahead of the clock, without end while many
	// batches come. So it goes ahead by this much and no further; what is left is executed
	// alone, which takes its time.
	mostAhead = deadline.Instant(100)
)

// ExecuteTogether executes the first of several requests of one person, as
// [Ledger.Execute] would one after the other, and returns what became of those that it
// took: of one at least. Whoever calls goes on with the rest.
//
// It takes as many as do nothing but say something new, and appends what they say by one
// write, which is there as a whole or not at all. What is refused, was said before, or
// moves more than the person's own history is executed alone.
func (l *Ledger) ExecuteTogether(ctx context.Context, wishes []Wish) []Result {
	if n := plainOnes(wishes); n > 1 && l.joint != nil {
		if results := l.executeRun(ctx, wishes[:n]); len(results) > 0 {
			return results
		}
	}

	receipt, err := l.Execute(wishes[0].Context, wishes[0].Request)
	return []Result{{receipt, err}}
}

// plainOnes returns how many of the wishes, from the first on, are a person's own sayings
// about themself, which move no other stream and are proved by nothing beside them.
func plainOnes(wishes []Wish) int {
	for i, w := range wishes {
		if i == MostTogether || w.Request.Person != wishes[0].Request.Person || !isPlain(w.Request) {
			return i
		}
	}
	return len(wishes)
}

func isPlain(r Request) bool {
	if r.Person == (ident.PersonKey{}) || r.Other != (ident.PersonKey{}) || r.Stream != (ident.StreamID{}) ||
		r.Signed != nil || r.ApprovedBy != "" || r.approved != nil || len(r.Group) > 0 {
		return false
	}
	switch cmd := r.Command.(type) {
	case domain.GiveConsent:
		return len(cmd.Confirms) == 0
	case domain.RefuseConsent, domain.WithdrawConsent, domain.AcknowledgePolicy, domain.PresentNotice,
		domain.ChangePermission:
		return true
	}
	return false
}

// executeRun executes as many of the wishes as can be appended together; none, if that are
// fewer than two, or somebody else was faster: then the first is executed alone, and says
// what stands in its way.
func (l *Ledger) executeRun(ctx context.Context, wishes []Wish) []Result {
	if err := l.fresh.now(ctx); err != nil {
		return nil
	}
	first, err := l.resolvePlain(ctx, wishes[0].Request)
	if err != nil {
		return nil
	}
	p, err := l.meet(ctx, first.Request, first.ref)
	if err != nil {
		return nil
	}

	taken, receipts, err := l.appendRun(ctx, first, wishes, p)
	if _, lost := errors.AsType[*eventstore.ConflictError](err); lost || taken < 2 ||
		errors.Is(err, vault.ErrTaken) || errors.Is(err, vault.ErrErased) {
		return nil // nothing was appended
	}

	results := make([]Result, taken)
	for i := range results {
		if err != nil {
			results[i].Err = err
			continue
		}
		req, receipt := wishes[i].Request, receipts[i]
		receipt.Near = l.offers(ctx, req, p, receipt)
		receipt.Person, receipt.ID = req.Person, req.ID
		results[i].Receipt = receipt
	}
	return results
}

// appendRun appends what the first of the wishes add to a person's history, and returns
// how many they are, and their receipts. Fewer than two are not appended.
func (l *Ledger) appendRun(
	ctx context.Context, first resolved, wishes []Wish, p *vault.Person,
) (int, []Receipt, error) {
	stream := subjectStream(p)
	unlock, err := l.lock(ctx, stream)
	if err != nil {
		return 0, nil, err
	}
	defer unlock()
	behind, err := l.fold(ctx, stream)
	if err != nil {
		return 0, nil, err
	}

	adds := l.decideRun(first, wishes, p, behind)
	if len(adds) < 2 {
		return 0, nil, nil
	}
	receipts, err := l.appendAll(ctx, p, stream, behind, adds)
	return len(adds), receipts, err
}

// resolvePlain resolves a plain request, but for whom it is about.
func (l *Ledger) resolvePlain(ctx context.Context, req Request) (r resolved, err error) {
	if r.Request, err = l.asMeant(ctx, req); err != nil {
		return r, err
	}
	if r.ref, err = l.lookUp(ctx, r.Request); err != nil {
		return r, err
	}
	r.ref.Erased, err = l.mustFilter(ctx, r.Request)
	return r, err
}

// decideRun decides on wishes, of which the first is resolved, each on what those before it
// add, up to the first that does not simply add something.
func (l *Ledger) decideRun(first resolved, wishes []Wish, p *vault.Person, behind *fold) (adds []*addition) {
	f, size, latest := behind, 0, l.now()+mostAhead
	for i, w := range wishes {
		if l.next(f.recorded) > latest {
			return adds
		}
		r := first
		if i > 0 {
			var err error
			if r, err = l.resolvePlain(w.Context, w.Request); err != nil {
				return adds
			}
		}
		r.stream, r.key = subjectStream(p), p

		a, err := l.decidePlain(w.Context, r, f)
		if err != nil || a == nil {
			return adds
		}
		for _, rec := range a.records {
			size += len(rec.Data)
		}
		if len(adds) > 0 && size > bytesTogether {
			return adds
		}
		adds, f = append(adds, a), a.next
	}
	return adds
}

// decidePlain returns what a plain request adds; nil: it is to be executed alone.
func (l *Ledger) decidePlain(ctx context.Context, r resolved, f *fold) (*addition, error) {
	if slices.Contains(f.answered, markOf(r.key.RequestID(r.Source, r.ID))) ||
		r.Former != (Name{}) && slices.Contains(f.answered, markOf(r.key.RequestID(r.Former.Source, r.Former.ID))) {
		return nil, nil // it may have been answered
	}

	var err error
	if r.Request, err = l.overtaken(ctx, r.Request, f.subject); err != nil {
		return nil, err
	}
	if err := l.checkNeedsTwo(r.Request); err != nil {
		return nil, err
	}
	return l.adds(ctx, r, f, r.plains(f), func(recorded deadline.Instant) ([]domain.Event, error) {
		return l.decide(ctx, r, f, recorded)
	})
}

// placeOf returns the position of a record by its revision in a stream.
func (l *Ledger) placeOf(
	ctx context.Context, stream ident.StreamID, revision eventstore.Revision,
) (eventstore.Position, error) {
	at, _, err := l.joint.ReadBehind(ctx, eventstore.Stream(stream.String()), revision)
	if err == nil && at == 0 {
		err = fmt.Errorf("%s: record %d was appended, and is not there", stream, revision)
	}
	return at, err
}
