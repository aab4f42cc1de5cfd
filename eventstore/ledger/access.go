package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
)

// An Access is what somebody is about to read, and why.
type Access struct {
	App        ident.AppName
	ID         string // names this access: with the same ID it is recorded once
	Actor      string // operator, authority or system
	RecordedBy string // the authenticated principal
	domain.DataAccessed
}

// An Opened is an access that is recorded: nothing personal is read but by one,
// and by no more than it says. The zero Opened opens nothing.
type Opened struct {
	ledger *Ledger
	of     Access
}

// Access records that something is about to be read, in the access stream of
// the person whom it is about, or of the app, which is registered. It is durable
// on return. When it fails, nothing is opened.
func (l *Ledger) Access(ctx context.Context, a Access) (Opened, error) {
	if a.Reason == "" && a.Parts == 0 {
		a.Reason = domain.Unstated
	}
	if err := a.Check(ident.Actor(a.Actor)); err != nil {
		return Opened{}, err
	}
	if err := l.fresh.now(ctx); err != nil {
		return Opened{}, err
	}
	if _, err := l.reference(ctx, a.App); err != nil {
		return Opened{}, err
	}

	if a.Name != "" {
		p, _, err := l.vault.Enrol(ctx, vault.Lookup{App: string(a.App), Kind: "accessor", ID: a.Name.Reveal()})
		if err != nil {
			return Opened{}, err
		}
		a.Accessor = p.Pseudonym.String()
	} else {
		a.Words = "" // it would belong to nobody
	}

	if _, err := l.race(ctx, a.App, func() (Receipt, error) { return l.tryAccess(ctx, a) }); err != nil {
		return Opened{}, fmt.Errorf("access record: %w", err)
	}
	return Opened{l, a}, nil
}

func (l *Ledger) tryAccess(ctx context.Context, a Access) (Receipt, error) {
	stream, k, binding, err := l.accessStream(ctx, a)
	if err != nil {
		return Receipt{}, err
	}
	req := Request{
		App: a.App, Source: "access", ID: a.ID, Body: []byte(a.ID),
		Actor: a.Actor, RecordedBy: a.RecordedBy, Command: domain.Say{Event: a.DataAccessed},
	}
	return l.settle(ctx, resolved{Request: req, stream: stream, key: k, said: a.DataAccessed, bound: binding})
}

// accessStream returns where an access is recorded. Of whom nothing was
// recorded, or who was erased, it is the app's stream.
func (l *Ledger) accessStream(ctx context.Context, a Access) (ident.StreamID, key, []codec.Plain, error) {
	if a.Subject != "" {
		stream := ident.AccessStream(a.App, a.Subject)
		p, binding, err := l.boundAs(ctx, a.App, a.Subject)
		if err != nil || p != nil {
			return stream, p, binding, err
		}
	}
	k, err := l.vault.AppKey(ctx, string(a.App))
	return ident.AccessStream(a.App, ident.AppStream), k, nil, err
}

// boundAs returns the living person of a pseudonym and what ties the streams of
// theirs to them, as their history has it; nil: there is nobody.
func (l *Ledger) boundAs(
	ctx context.Context, app ident.AppName, pseudonym string,
) (*vault.Person, []codec.Plain, error) {
	p, err := l.living(ctx, ident.SubjectStream(app, pseudonym))
	if _, nobody := errors.AsType[refusal.Refusal](err); nobody {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	_, text, ok, err := l.firstBinding(ctx, ident.SubjectStream(app, pseudonym))
	if err != nil || !ok {
		return nil, nil, err
	}
	return p, []codec.Plain{{Role: "binding", Text: []byte(text.Reveal())}}, nil
}

// lets refuses what the access does not say.
func (o Opened) lets(e codec.Entry, p codec.Part) error {
	a := o.of
	switch {
	case o.ledger == nil:
		return errors.New("no access was recorded: nothing is opened")
	case a.Parts == 0,
		a.App != e.Stream.App,
		a.Subject != "" && a.Subject != p.Ref,
		len(a.Roles) > 0 && !slices.Contains(a.Roles, p.Role),
		len(a.Events) > 0 && !slices.Contains(a.Events, ident.EventID(e.ID)):
		return fmt.Errorf("record %d: its part %s is not of the access that was recorded", e.Position, p.Role)
	}
	return nil
}

// Is reports whether the access was recorded, and is of this kind and app; an
// empty app: of any. It is for what is sealed elsewhere than in the vault.
func (o Opened) Is(app ident.AppName, kind domain.AccessKind) bool {
	return o.ledger != nil && o.of.Parts > 0 && (app == "" || o.of.App == app) && o.of.Kind == kind
}

// Covers reports whether the access opens a part of an entry.
func (o Opened) Covers(e codec.Entry, p codec.Part) bool { return o.lets(e, p) == nil }

// Reveal returns what e says about a person in a role, and whether it is still
// there: of somebody who was erased nothing is. A text that is damaged, that
// the record does not commit to, or that is missing although its owner is not
// erased is a [*codec.UnreadableError]. What the access does not cover is an
// error. No error holds any of the text.
func (o Opened) Reveal(ctx context.Context, e codec.Entry, role string) (domain.Personal, bool, error) {
	for _, p := range e.Parts {
		if p.Role == role {
			if err := o.lets(e, p); err != nil {
				return "", false, err
			}
			return o.ledger.reveal(ctx, e, role)
		}
	}
	return "", false, nil
}

// A Disclosure is a personal part and the key of its commitment: enough to
// verify the part against the record, without the ledger.
type Disclosure struct {
	Role, Ref string
	Text      domain.Personal
	Opening   [32]byte
}

// Disclose returns what e says about persons, as far as the access covers it.
// Of who was erased there is nothing.
func (o Opened) Disclose(ctx context.Context, e codec.Entry) ([]Disclosure, error) {
	var all []Disclosure
	for _, p := range e.Parts {
		if !o.Covers(e, p) {
			continue
		}
		text, ok, err := o.ledger.reveal(ctx, e, p.Role)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		owner, err := o.ledger.named(ctx, e.Stream.App, p.Ref)
		if errors.Is(err, vault.ErrErased) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Disclosure{p.Role, p.Ref, text, owner.Opening(eventstore.EventID(e.ID), p.Role)})
	}
	return all, nil
}
