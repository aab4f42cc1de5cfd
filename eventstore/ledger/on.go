package ledger

import (
	"context"
	"errors"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/vault"
)

// ExecuteOn is [Ledger.Execute] for what is about a stream that is known by its
// id: steps of requests and incidents, obligations, and what follows from the
// log about a person of whom nobody's outside id is at hand. The stream's app
// is the request's; Person and Other stay empty. Nobody is enrolled by it, and
// no person's history begins: of a person who was erased, or whose history
// ended and never answered the request, nothing is recorded in it, which is the
// refusal [refusal.EarlierPerson].
func (l *Ledger) ExecuteOn(ctx context.Context, stream ident.StreamID, req Request) (Receipt, error) {
	if req.Person != (ident.PersonKey{}) || req.Other != (ident.PersonKey{}) {
		return Receipt{}, refusal.Refusal{Code: refusal.WrongStream,
			Text: "what is executed on a stream names no person beside it"}
	}

	req.App = stream.App
	try := l.tryCase
	switch stream.Noun {
	case ident.SubjectNoun:
		try = l.tryOn
	case ident.RequestNoun, ident.IncidentNoun, ident.ObligationNoun:
	default:
		return Receipt{}, refusal.Refusal{Code: refusal.WrongStream,
			Text: "nothing is executed on a stream of this kind by its id"}
	}

	once := func() (Receipt, error) {
		ref, err := l.lookUp(ctx, req)
		if err != nil {
			return Receipt{}, err
		}
		return try(ctx, stream, req, ref)
	}

	receipt, err := l.race(ctx, req.App, once)
	_, refused := errors.AsType[refusal.Refusal](err)
	if nothing := err == nil && receipt.Event == (eventstore.EventID{}); l.fresh.shared && (refused || nothing) {
		// Another process may have written what makes it possible.
		if err := l.fresh.now(ctx); err != nil {
			return Receipt{}, err
		}
		receipt, err = l.race(ctx, req.App, once)
	}
	return receipt, err
}

func (l *Ledger) tryOn(
	ctx context.Context, stream ident.StreamID, req Request, ref domain.Reference,
) (Receipt, error) {
	p, err := l.living(ctx, stream)
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := l.settle(ctx, resolved{Request: req, ref: ref, stream: stream, key: p})
	if _, ended := errors.AsType[endedError](err); ended || errors.Is(err, vault.ErrErased) {
		return Receipt{}, errGone
	}
	return receipt, err
}

// living returns the person of a stream that has begun. It asks the vault's
// rows: another process may have erased whom this one remembers.
func (l *Ledger) living(ctx context.Context, stream ident.StreamID) (*vault.Person, error) {
	p, err := l.named(ctx, stream.App, stream.ID)
	if err == nil {
		err = l.vault.Put(ctx, p)
	}
	if errors.Is(err, vault.ErrErased) {
		return nil, errGone
	}
	if err != nil {
		return nil, err
	}

	f, err := l.fold(ctx, stream)
	if err == nil && f.revision == 0 {
		err = refusal.Refusal{Code: refusal.UnknownRecord, Text: "the stream has no record to follow from"}
	}
	return p, err
}

var errGone = refusal.Refusal{Code: refusal.EarlierPerson,
	Text: "the person's history was ended or erased: nothing follows from it any more"}
