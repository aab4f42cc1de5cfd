package ledger

import (
	"context"
	"encoding/json"
	"errors"

	"consentledger/domain"
	"consentledger/eventstore/vault"
)

// Outside returns the id by which an app knows whose history has a pseudonym, as the first
// record of the history commits to it. There is none of a person who was erased, and none
// if the id does not lead to this history any more: it may be somebody else's now.
//
// It leaves no access record: it is for what the ledger sends to the app itself, which
// gave the id. It is read when it is asked for, and kept nowhere.
func (l *Ledger) Outside(ctx context.Context, app domain.AppName, pseudonym string) (domain.PersonKey, bool, error) {
	who, err := l.bound(ctx, app, pseudonym)
	if err != nil || who == (domain.PersonKey{}) {
		return domain.PersonKey{}, false, err
	}
	now, ok, err := l.Pseudonym(ctx, app, who)
	if err != nil || !ok || now != pseudonym {
		return domain.PersonKey{}, false, err
	}
	return who, true, nil
}

// bound returns the id that a person's history was begun with; zero: nobody knows it any
// more.
func (l *Ledger) bound(ctx context.Context, app domain.AppName, pseudonym string) (domain.PersonKey, error) {
	switch _, err := l.named(ctx, app, pseudonym); {
	case errors.Is(err, vault.ErrErased):
		return domain.PersonKey{}, nil
	case err != nil:
		return domain.PersonKey{}, err
	}

	for first, err := range l.readStream(ctx, domain.SubjectStream(app, pseudonym)) {
		if err != nil {
			return domain.PersonKey{}, err
		}
		text, ok, err := l.reveal(ctx, first, "binding")
		if err != nil || !ok {
			return domain.PersonKey{}, err
		}
		var binding struct{ ID, Kind string }
		if err := json.Unmarshal([]byte(text.Reveal()), &binding); err != nil {
			return domain.PersonKey{}, unreadable(first, errors.New("its part binding is no JSON"))
		}
		return domain.PersonKey{Kind: binding.Kind, ID: binding.ID}, nil
	}
	return domain.PersonKey{}, nil
}
