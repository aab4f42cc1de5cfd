package auth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// A Wish is what a key is to be for.
type Wish struct {
	Name      string // whose it is, for people
	Principal string // of a key that somebody has already; empty: somebody new
	Roles     []Role
	Apps      []ident.AppName
	Groups    []AppGroup
	AllApps   bool
	Lasts     time.Duration
	Setup     bool
}

// How long a key may last, and how long one that is for an outsider may.
const (
	Longest        = 366 * 24 * time.Hour
	LongestAuditor = 31 * 24 * time.Hour
	setupLasts     = time.Hour
)

func invalid(path, text string) error {
	return refusal.Refusal{Code: refusal.Malformed, Path: path, Text: text}
}

func (w Wish) check() error {
	switch {
	case w.Name == "" || len(w.Name) > 100 || strings.ContainsFunc(w.Name, func(c rune) bool { return c < ' ' }):
		return invalid("name", "name: say whose key it is, in 1 to 100 bytes, as in shop back end")
	case len(w.Roles) == 0:
		return invalid("roles", "roles: name one at least; there are: "+roleNames())
	case w.AllApps == (len(w.Apps)+len(w.Groups) > 0):
		return invalid("apps", "apps: name the apps, or groups of them, that the key is for, or say that it is for all")
	case w.Lasts <= 0 || w.Lasts > Longest:
		return invalid("lasts", "lasts: a key ends after 366 days at the latest")
	case slices.Contains(w.Roles, Auditor) && w.Lasts > LongestAuditor:
		return invalid("lasts", "lasts: the key of an auditor ends after 31 days at the latest")
	case slices.Contains(w.Roles, Administrator) && !w.AllApps:
		return invalid("apps", "apps: an administrator is one of all apps")
	}
	if err := checkApart(w.Roles); err != nil {
		return invalid("roles", err.Error()+": issue two keys, to two")
	}
	return nil
}

// Issue makes a key, and returns it: it is shown this once. First it is recorded that
// there is one; by is the pseudonym of who issues it.
func (k *Keys) Issue(ctx context.Context, w Wish, by string) (Key, Listed, error) {
	if err := w.check(); err != nil {
		return Key{}, Listed{}, err
	}
	if err := k.samePrincipal(ctx, w); err != nil {
		return Key{}, Listed{}, err
	}

	if len(w.Groups) > 0 && !k.grouped.Swap(true) { // in whose logs it is recorded was not asked before
		if err := k.Read(ctx); err != nil {
			return Key{}, Listed{}, err
		}
	}

	key, l := k.make(w)
	l.by = by
	if err := k.record(ctx, catalog.KeyIssued, l, by); err != nil {
		return Key{}, Listed{}, err
	}
	if err := k.write(ctx, eventstore.Change{Put: []eventstore.Row{l.row()}}); err != nil {
		return Key{}, Listed{}, err
	}

	// Another process may have issued one to the same principal meanwhile, after both had looked.
	// Nobody has been shown this one yet.
	if err := k.samePrincipal(ctx, w); err != nil {
		_, gone := k.Revoke(ctx, l.ID, by)
		return Key{}, Listed{}, errors.Join(err, gone)
	}
	return key, l, nil
}

// samePrincipal refuses another key for somebody if the two together would hold roles
// that nobody has both of.
func (k *Keys) samePrincipal(ctx context.Context, w Wish) error {
	if w.Principal == "" {
		return nil
	}

	list, err := k.List(ctx)
	if err != nil {
		return err
	}

	all, known := w, false
	for _, l := range list {
		if l.Principal != w.Principal {
			continue
		}
		known = true
		if !l.Ended(k.Now()) {
			all.Roles = append(slices.Clone(all.Roles), l.Roles...)
		}
	}

	if !known {
		return invalid("principal", "principal: nobody has this pseudonym: access key list shows them")
	}

	all.AllApps, all.Apps, all.Groups, all.Lasts = true, nil, nil, time.Hour // of the roles alone
	return all.check()
}

func (k *Keys) make(w Wish) (Key, Listed) {
	key, now := NewKey(), k.Now()
	l := Listed{
		ID: key.ID, Principal: w.Principal, Name: w.Name, Roles: w.Roles, Apps: w.Apps, Groups: w.Groups,
		AllApps: w.AllApps, Reached: k.reached(w.Groups), Setup: w.Setup, Created: now,
		Expires: now + deadline.Instant(w.Lasts.Milliseconds()), hash: key.hash(),
	}
	if l.Principal == "" {
		l.Principal = "p-" + newID()
	}
	return key, l
}

func (l Listed) row() eventstore.Row {
	return rowTo(issuedRow+l.ID, issued{
		Version: rowsVersion, Principal: l.Principal, Name: l.Name, Hash: hex.EncodeToString(l.hash[:]),
		Roles: l.Roles, Apps: appTexts(l.Apps, l.Groups), AllApps: l.AllApps, Created: l.Created, Expires: l.Expires,
		Setup: l.Setup, By: l.by, Instead: l.instead,
	})
}

func rowTo(key string, value any) eventstore.Row {
	b, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		panic("auth: a row does not make JSON: " + err.Error())
	}
	return eventstore.Row{Key: []byte(key), Value: b}
}

func (k *Keys) write(ctx context.Context, c eventstore.Change) error {
	if err := eventstore.WriteDurably(ctx, k.Rows, c); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	return k.Read(ctx)
}

// Rotate makes a key in the place of another one, which goes on for overlap.
func (k *Keys) Rotate(ctx context.Context, id string, overlap time.Duration, by string) (Key, Listed, error) {
	old, err := k.find(ctx, id)
	if err != nil {
		return Key{}, Listed{}, err
	}
	now := k.Now()
	switch {
	case old.Ended(now):
		return Key{}, Listed{}, invalid("id", "this key has ended: issue another with access key new")
	case old.replaced:
		return Key{}, Listed{}, invalid("id", "another key has taken the place of this one already: rotate that")
	case old.Setup:
		return Key{}, Listed{}, invalid("id",
			"the key of the first hour is not rotated: issue an administrator's with access key new")
	case overlap < 0 || overlap > LongestAuditor:
		return Key{}, Listed{}, invalid("overlap", "overlap: the older key goes on for 31 days at the latest")
	}

	key, l := k.make(Wish{
		Name: old.Name, Principal: old.Principal, Roles: old.Roles, Apps: old.Apps, Groups: old.Groups,
		AllApps: old.AllApps, Lasts: time.Duration(old.Expires-old.Created) * time.Millisecond,
	})
	if slices.Contains(old.Roles, Auditor) { // whose time does not begin again
		l.Expires = old.Expires
	}
	l.by, l.instead = by, old.ID
	if err := k.record(ctx, catalog.KeyRotated, l, by); err != nil {
		return Key{}, Listed{}, err
	}
	ends := rowTo(endsRow+old.ID,
		ending{rowsVersion, min(old.Expires, now+deadline.Instant(overlap.Milliseconds())), by})
	c := eventstore.Change{Absent: [][]byte{ends.Key}, Put: []eventstore.Row{l.row(), ends}}
	if err := k.write(ctx, c); err != nil {
		return Key{}, Listed{}, fmt.Errorf("a key is rotated once: %w", err)
	}
	return key, l, nil
}

// Revoke ends a key at once, and then records that. Once more does nothing new.
func (k *Keys) Revoke(ctx context.Context, id, by string) (Listed, error) {
	l, err := k.find(ctx, id)
	if err != nil {
		return Listed{}, err
	}
	if l.Revoked == 0 {
		l.Revoked, l.revokedBy = k.Now(), by
		row := rowTo(revokedRow+id, ending{rowsVersion, l.Revoked, by})
		if err := k.write(ctx, eventstore.Change{Put: []eventstore.Row{row}}); err != nil {
			return Listed{}, err
		}
	}
	return l, k.record(ctx, catalog.KeyRevoked, l, l.revokedBy)
}

// Setup issues the key by which the first administrator gets in: for an hour, and only
// while there is no other. Earlier ones of its kind end.
func (k *Keys) Setup(ctx context.Context) (Key, error) {
	list, err := k.List(ctx)
	if err != nil {
		return Key{}, err
	}

	for _, l := range list {
		if l.Setup && !l.Ended(k.Now()) {
			if _, err := k.Revoke(ctx, l.ID, ident.Ledger); err != nil {
				return Key{}, err
			}
		}
	}

	key, _, err := k.Issue(ctx, Wish{
		Name: "setup", Roles: []Role{Administrator}, AllApps: true, Lasts: setupLasts, Setup: true,
	}, ident.Ledger)
	return key, err
}

// Settle records of every key what is not recorded yet: because an app was registered
// later, or a process died before. What is recorded already is not recorded again.
func (k *Keys) Settle(ctx context.Context) error {
	list, err := k.List(ctx)
	if err != nil {
		return err
	}

	for _, l := range list {
		what := catalog.KeyIssued
		if l.instead != "" {
			what = catalog.KeyRotated
		}
		if err := k.record(ctx, what, l, l.by); err != nil {
			return err
		}
		if l.Revoked == 0 {
			continue
		}
		if err := k.record(ctx, catalog.KeyRevoked, l, l.revokedBy); err != nil {
			return err
		}
	}
	return nil
}

// record records what became of a key in the log of each app that it is for.
func (k *Keys) record(ctx context.Context, what catalog.Note, l Listed, by string) error {
	apps := slices.Concat(l.Apps, l.Reached)
	if l.AllApps {
		apps = k.Apps()
	}

	var roles []string
	for _, r := range l.Roles {
		roles = append(roles, string(r))
	}

	fields := map[string]string{
		"key": l.ID, "principal": l.Principal, "roles": strings.Join(roles, ","),
		"until": l.Expires.Time().UTC().Format(time.DateOnly),
	}
	if by != "" {
		fields["by"] = by
	}

	id := string(what) + " " + l.ID
	for _, app := range apps {
		one := string(app) + " " + id
		if _, known := k.settled.Load(one); known {
			continue
		}
		_, err := k.Execute(ctx, ledger.Request{
			App: app, Source: "consentledger/access", ID: id, Body: []byte(id),
			Actor: string(ident.System), RecordedBy: ident.Ledger,
			Command: domain.Say{Event: domain.Noted{Kind: what, Fields: policy.Fields(fields)}},
		})
		if err != nil {
			return err
		}
		k.settled.Store(one, true)
	}
	return nil
}
