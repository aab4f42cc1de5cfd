package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"consentledger/domain"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
)

// Reveal returns what e says about a person in a role, and whether it is still
// there: of somebody who was erased nothing is. A text that is damaged, that
// the record does not commit to, or that is missing although its owner is not
// erased is a [*codec.UnreadableError]. No error holds any of the text.
//
// Reveal leaves no access record: who shows the text to anybody, or hands it
// on, records that first.
func (l *Ledger) Reveal(ctx context.Context, e codec.Entry, role string) (domain.Personal, bool, error) {
	i := slices.IndexFunc(e.Parts, func(p codec.Part) bool { return p.Role == role })
	if i < 0 {
		return "", false, nil
	}
	owner, err := l.named(ctx, e.Stream.App, e.Parts[i].Ref)
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
	case owner.Commit(e.ID, role, plain) != e.Parts[i].Commitment:
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

// A Disclosure is a personal part and the key of its commitment: enough to
// verify the part against the record, without the ledger.
type Disclosure struct {
	Role, Ref string
	Text      domain.Personal
	Opening   [32]byte
}

// Disclose returns what e says about persons, of one of them if a pseudonym is
// given. Of who was erased there is nothing. What [Ledger.Reveal] says of
// access records holds here too.
func (l *Ledger) Disclose(ctx context.Context, e codec.Entry, of string) ([]Disclosure, error) {
	var all []Disclosure
	for _, p := range e.Parts {
		if of != "" && p.Ref != of {
			continue
		}
		text, ok, err := l.Reveal(ctx, e, p.Role)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		owner, err := l.named(ctx, e.Stream.App, p.Ref)
		if errors.Is(err, vault.ErrErased) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Disclosure{p.Role, p.Ref, text, owner.Opening(e.ID, p.Role)})
	}
	return all, nil
}
