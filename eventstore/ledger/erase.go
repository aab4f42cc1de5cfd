package ledger

import (
	"context"
	"errors"
	"fmt"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/vault"
)

// Erase erases a person: the order is noted and recorded, then the vault entry
// goes with its key, its parts and the outside ids that lead to it, and then
// that it is done is recorded. The order is the commit point: whatever breaks
// after it is finished by [Ledger.FinishErasures] or by asking again. For the
// horizon of redelivery a keyed tombstone tells an event of before from the next
// person's.
//
// If a duty keeps the proof of what people agreed to, the entry goes all the same, and
// what is kept is in the vault, sealed for nobody to open: see [Ledger.OpenProof].
//
// What is sealed for nobody in particular, as rejected messages are, stays as
// long as it is kept anyway.
func (l *Ledger) Erase(ctx context.Context, req Request) (Receipt, error) {
	return l.erase(ctx, req, l.finishErasure, func() (*vault.Person, error) {
		p, found, err := l.find(ctx, req.App, req.Person)
		if err == nil && !found {
			err = refusal.Refusal{Code: refusal.UnknownPerson,
				Text: "nothing is known of this person; who was erased is known by nobody's id"}
		}
		return p, err
	})
}

// EraseNamed is [Ledger.Erase] of whom a pseudonym names: a ledger that was restored knows
// no outside id of who was erased behind its end. The request names no person.
func (l *Ledger) EraseNamed(ctx context.Context, req Request, name vault.Pseudonym) (Receipt, error) {
	return l.erase(ctx, req, l.finishErasure, func() (*vault.Person, error) {
		return l.named(ctx, req.App, name.String())
	})
}

// erase records the order to erase somebody, and then does with their stream, which is
// locked, what follows. A request that only looks orders nothing, and nothing follows.
func (l *Ledger) erase(
	ctx context.Context, req Request, then func(context.Context, ident.StreamID) error,
	whom func() (*vault.Person, error),
) (Receipt, error) {
	if err := l.fresh.now(ctx); err != nil {
		return Receipt{}, err
	}
	ref, err := l.lookUp(ctx, req)
	if err != nil {
		return Receipt{}, err
	}
	p, err := whom()
	if err != nil {
		return Receipt{}, err
	}

	var receipt Receipt
	stream := subjectStream(p)
	err = l.locked(ctx, stream, func() (err error) {
		if receipt, err = l.order(ctx, req, ref, p); err != nil || req.looks() {
			return err
		}
		return then(ctx, stream)
	})
	return receipt, err
}

// order notes and records the order to erase p, whose stream is locked.
func (l *Ledger) order(ctx context.Context, req Request, ref domain.Reference, p *vault.Person) (Receipt, error) {
	stream := subjectStream(p)
	f, err := l.fold(ctx, stream)
	if err != nil {
		return Receipt{}, err
	}

	r := resolved{Request: req, ref: ref, stream: stream, key: p}
	decide := func(recorded deadline.Instant) ([]domain.Event, error) {
		err := l.checkApproved(ctx, r, func(cmd domain.Command) ([]domain.Event, error) {
			return f.subject.Decide(cmd, ref, atOf(req, recorded), recorded)
		}, f, recorded)
		if err != nil {
			return nil, err
		}
		return f.subject.Decide(req.Command, ref, atOf(req, recorded), recorded)
	}

	_, answered, err := l.answer(ctx, stream, f, p.RequestID(req.Source, req.ID))
	if err != nil {
		return Receipt{}, err
	}

	if !answered {
		if _, err := decide(l.Now()); err != nil || r.looks() {
			return Receipt{}, err // nothing is noted of what is refused
		}
		if err := l.vault.Order(ctx, p); err != nil {
			return Receipt{}, err
		}
	}
	return l.commit(ctx, r, f, nil, decide)
}

// FinishErasures finishes what was ordered and not finished, and says how many
// persons that were; the proofs included that were ordered to be destroyed, which are not
// counted. It runs before anything is recorded.
func (l *Ledger) FinishErasures(ctx context.Context) (int, error) {
	if _, err := l.FinishDestructions(ctx); err != nil {
		return 0, err
	}
	var orders []vault.Order
	for o, err := range l.vault.Orders(ctx) {
		if err != nil {
			return 0, err
		}
		orders = append(orders, o)
	}
	return l.finishOrders(ctx, orders)
}

// errNotOrdered keeps who was not ordered to be erased, whatever goes wrong elsewhere.
var errNotOrdered = errors.New("ledger: nothing is erased of whom nobody ordered to erase")

// finishErasure deletes the entry of whom it was ordered to erase, records that
// it is done, and takes the note away. Each step may have been done before. The
// stream is locked.
func (l *Ledger) finishErasure(ctx context.Context, stream ident.StreamID) error {
	return l.ordered(ctx, stream, func(f *fold, p *vault.Person) error {
		if err := l.deleteRows(ctx, stream, f, p); err != nil {
			return err
		}
		if err := l.vault.Purge(ctx, p.App, p.Pseudonym); err != nil {
			return err
		}
		return l.recordErased(ctx, stream, f, vault.Order{App: p.App, Pseudonym: p.Pseudonym})
	})
}

// deleteRows deletes the rows of somebody, but for the proof that the order keeps.
func (l *Ledger) deleteRows(ctx context.Context, stream ident.StreamID, f *fold, p *vault.Person) error {
	proof, err := l.keptOf(ctx, stream, f.subject)
	if err != nil {
		return err
	}
	return l.vault.DeleteBut(ctx, p, f.subject.Ended().Time(), l.Now().Time().Add(horizon), proof)
}

// ordered does something with whom it was ordered to erase, who may have no entry any more.
// The stream is locked.
func (l *Ledger) ordered(
	ctx context.Context, stream ident.StreamID, do func(f *fold, p *vault.Person) error,
) error {
	f, err := l.fold(ctx, stream)
	if err != nil {
		return err
	}
	if f.subject.Ordered() == (ident.EventID{}) {
		return errNotOrdered
	}

	name, err := vault.ParsePseudonym(stream.ID)
	if err != nil {
		return err
	}
	return do(f, &vault.Person{App: string(stream.App), Pseudonym: name})
}

// recordErased records that it is done, and takes the note away. The stream is locked.
func (l *Ledger) recordErased(ctx context.Context, stream ident.StreamID, f *fold, order vault.Order) error {
	k, err := l.vault.AppKey(ctx, order.App)
	if err != nil {
		return err
	}

	// The request has no person: its key is the app's, theirs is gone.
	done := Request{
		App: stream.App, Source: "ledger", ID: "erased " + stream.ID, Actor: string(ident.System),
		RecordedBy: "ledger",
		Command:    domain.Say{Event: domain.SubjectErased{Order: f.subject.Ordered()}},
	}
	ref, err := l.reference(ctx, stream.App)
	if err != nil {
		return err
	}

	_, err = l.commit(ctx, resolved{Request: done, ref: ref, stream: stream, key: k}, f, nil,
		func(deadline.Instant) ([]domain.Event, error) {
			return []domain.Event{domain.SubjectErased{Order: f.subject.Ordered()}}, nil
		})
	if err != nil {
		return fmt.Errorf("%s is erased, and that could not be recorded: %w", stream, err)
	}
	return l.vault.Done(ctx, order)
}
