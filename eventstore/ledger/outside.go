package ledger

import (
	"context"
	"encoding/json"
	"errors"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
)

// Outside returns the id by which an app knows whose history has a pseudonym, as the first
// record of the history commits to it. There is none of a person who was erased, and none
// if the id does not lead to this history any more: it may be somebody else's now.
//
// It leaves no access record: it is for what the ledger sends to the app itself, which
// gave the id. It is read when it is asked for, and kept nowhere.
func (l *Ledger) Outside(ctx context.Context, app ident.AppName, pseudonym string) (ident.PersonKey, bool, error) {
	who, err := l.bound(ctx, app, pseudonym)
	if err != nil || who == (ident.PersonKey{}) {
		return ident.PersonKey{}, false, err
	}
	now, ok, err := l.Pseudonym(ctx, app, who)
	if err != nil || !ok || now != pseudonym {
		return ident.PersonKey{}, false, err
	}
	return who, true, nil
}

// bound returns the id that a person's history was begun with; zero: nobody knows it any
// more.
func (l *Ledger) bound(ctx context.Context, app ident.AppName, pseudonym string) (ident.PersonKey, error) {
	switch _, err := l.named(ctx, app, pseudonym); {
	case errors.Is(err, vault.ErrErased):
		return ident.PersonKey{}, nil
	case err != nil:
		return ident.PersonKey{}, err
	}

	who, _, err := l.knownAs(ctx, ident.SubjectStream(app, pseudonym))
	return who, err
}

// knownAs returns by which id a person's history says that they are known outside; false:
// they were erased, or have none.
func (l *Ledger) knownAs(ctx context.Context, stream ident.StreamID) (ident.PersonKey, bool, error) {
	first, text, ok, err := l.firstBinding(ctx, stream)
	if err != nil || !ok {
		return ident.PersonKey{}, false, err
	}
	var who struct{ Kind, ID string }
	if err := json.Unmarshal([]byte(text.Reveal()), &who); err != nil {
		return ident.PersonKey{}, false, unreadable(first, errBinding)
	}
	return ident.PersonKey{Kind: who.Kind, ID: who.ID}, true, nil
}

// firstBinding returns the first record of a person's history, and its part that ties it to
// who they are outside.
func (l *Ledger) firstBinding(
	ctx context.Context, stream ident.StreamID,
) (_ codec.Entry, text domain.Personal, ok bool, err error) {
	for first, err := range l.readStream(ctx, stream) {
		if err == nil {
			text, ok, err = l.reveal(ctx, first, "binding")
		}
		return first, text, ok, err
	}
	return codec.Entry{}, "", false, nil
}
