package ledger

import (
	"context"
	"errors"
	"fmt"

	"consentledger/domain"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
)

// reveal is [Opened.Reveal] without an access: for what the ledger itself does
// and shows nobody.
func (l *Ledger) reveal(ctx context.Context, e codec.Entry, role string) (domain.Personal, bool, error) {
	part, has := e.Part(role)
	if !has {
		return "", false, nil
	}

	owner, err := l.named(ctx, e.Stream.App, part.Ref)
	if errors.Is(err, vault.ErrErased) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}

	plain, ok, err := l.vault.Part(ctx, owner, e.ID, e.Stream.String(), role)
	switch {
	case errors.Is(err, vault.ErrDamaged):
		return "", false, unreadable(e, err)
	case err != nil:
		return "", false, err
	case !ok:
		return "", false, l.missing(ctx, e, owner, role)
	case owner.Commit(e.ID, role, plain) != part.Commitment:
		return "", false, unreadable(e, fmt.Errorf("its part %s is not what the record commits to", role))
	}
	return domain.Personal(plain), true, nil
}

// missing returns why a part is not there: no error if its owner was erased
// since their key was read.
func (l *Ledger) missing(ctx context.Context, e codec.Entry, owner *vault.Person, role string) error {
	switch err := l.vault.Put(ctx, owner); {
	case errors.Is(err, vault.ErrErased):
		return nil
	case err != nil:
		return err
	}
	return unreadable(e, fmt.Errorf("its part %s is missing from the vault, and its owner is not erased", role))
}

func unreadable(e codec.Entry, err error) error {
	return &codec.UnreadableError{Position: e.Position, Type: e.Type, Err: err}
}
