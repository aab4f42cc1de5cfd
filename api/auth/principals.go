package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
)

// A PrincipalAnswer is who a pseudonym of records is, as far as the ledger knows.
type PrincipalAnswer struct {
	Principal string      `json:"principal"`
	Names     []string    `json:"names" doc:"of its keys; none: they were erased"`
	Keys      []KeyAnswer `json:"keys"`
}

// ErrNoSuchPrincipal says that no key is of a pseudonym.
var ErrNoSuchPrincipal = errors.New("no key is of this pseudonym: whoever comes by a token of an identity provider " +
	"or by a certificate is known there alone")

// keysOf returns the keys of a principal.
func (k *Keys) keysOf(ctx context.Context, principal string) ([]Listed, error) {
	list, err := k.List(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(l Listed) bool { return l.Principal != principal })
	if len(list) == 0 {
		return nil, ErrNoSuchPrincipal
	}
	return list, nil
}

// Named returns who a pseudonym is. First it is recorded that somebody asked, in the log of
// each app of its keys; by is who did.
func (k *Keys) Named(ctx context.Context, principal, by string) (PrincipalAnswer, error) {
	list, err := k.keysOf(ctx, principal)
	if err != nil {
		return PrincipalAnswer{}, err
	}
	if err := k.say(ctx, catalog.PrincipalNamed, list, "named "+rand.Text(), by); err != nil {
		return PrincipalAnswer{}, err
	}

	a := PrincipalAnswer{Principal: principal, Names: []string{}}
	for _, l := range list {
		if l.Name != "" && !slices.Contains(a.Names, l.Name) {
			a.Names = append(a.Names, l.Name)
		}
		a.Keys = append(a.Keys, l.Answer(k.Now()))
	}
	return a, nil
}

// Forget erases the name of a principal whose keys have all ended: records go on to name
// the pseudonym, and nobody finds whose it is. Once more does nothing new.
func (k *Keys) Forget(ctx context.Context, principal, by string) (PrincipalAnswer, error) {
	list, err := k.keysOf(ctx, principal)
	if err != nil {
		return PrincipalAnswer{}, err
	}
	if slices.ContainsFunc(list, func(l Listed) bool { return !l.Ended(k.Now()) }) {
		return PrincipalAnswer{}, refusal.Refusal{Code: refusal.IllegalMove,
			Text: "a key of this principal is good: revoke it first, with access key revoke"}
	}

	c := eventstore.Change{}
	for _, l := range list {
		l.Name = ""
		c.Put = append(c.Put, l.row())
	}
	if err := k.write(ctx, c); err != nil {
		return PrincipalAnswer{}, err
	}
	if err := k.say(ctx, catalog.PrincipalErased, list, "erased "+principal, by); err != nil {
		return PrincipalAnswer{}, err
	}
	a := PrincipalAnswer{Principal: principal, Names: []string{}}
	if list, err = k.keysOf(ctx, principal); err != nil {
		return PrincipalAnswer{}, err
	}
	for _, l := range list {
		a.Keys = append(a.Keys, l.Answer(k.Now()))
	}
	return a, nil
}

// say records what became of a principal in the log of each app of its keys.
func (k *Keys) say(ctx context.Context, what catalog.Note, list []Listed, id, by string) error {
	apps := map[ident.AppName]bool{}
	for _, l := range list {
		all := slices.Concat(l.Apps, l.Reached)
		if l.AllApps {
			all = k.Apps()
		}
		for _, app := range all {
			apps[app] = true
		}
	}

	fields := map[string]string{"principal": list[0].Principal}
	if by != "" {
		fields["by"] = by
	}

	for app := range apps {
		_, err := k.Execute(ctx, ledger.Request{
			App: app, Source: "consentledger/access", ID: id, Body: []byte(id),
			Actor: string(ident.System), RecordedBy: ident.Ledger,
			Command: domain.Say{Event: domain.Noted{Kind: what, Fields: policy.Fields(fields)}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *manager) principal(r *http.Request) (any, error) {
	return m.keys.Named(r.Context(), r.PathValue("id"), Recorder(r.Context()))
}

func (m *manager) forget(r *http.Request) (any, error) {
	return m.keys.Forget(r.Context(), r.PathValue("id"), Recorder(r.Context()))
}
