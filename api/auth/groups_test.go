package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"consentledger/domain/ident"
	"consentledger/domain/refusal"
)

func TestAGrantNamesAppsAndGroupsOfThem(t *testing.T) {
	apps, groups, err := ParseApps([]string{"shop", "group:retail", "group:shop"})
	if err != nil || !slices.Equal(apps, []ident.AppName{"shop"}) || !slices.Equal(groups, []AppGroup{"retail", "shop"}) {
		t.Errorf("%v %v %v", apps, groups, err)
	}
	if texts := appTexts(apps, groups); !slices.Equal(texts, []string{"shop", "group:retail", "group:shop"}) {
		t.Errorf("%v", texts)
	}
	for _, text := range []string{"group:", "group:Retail", "group:a b", "group:*", "group:group:a", "Group:a", "a:b", "group"} {
		_, groups, err := ParseApps([]string{text})
		if (err == nil) != (text == "group") || len(groups) > 0 || err != nil && strings.Contains(err.Error(), "Retail") {
			t.Errorf("%q: %v %v", text, groups, err)
		}
	}
}

// TestAGroupIsForTheAppsThatAreInItNow: with the next request, in whatever way somebody comes
// by the role, and for who waits for a decision.
func TestAGroupIsForTheAppsThatAreInItNow(t *testing.T) {
	b := newBench(t)
	b.groups = map[AppGroup][]ident.AppName{"retail": {"shop"}}
	key, l := b.issue(Wish{Roles: []Role{Officer, AppReader}, Groups: []AppGroup{"retail"}})
	ways := Ways{Keys: b.Keys, Bearers: []Bearer{fixed{Principal{
		Pseudonym: "p-token", Bindings: []Binding{{Roles: []Role{AppReader}, Groups: []AppGroup{"retail"}}},
	}}}}
	roster := Roster{Keys: b.Keys, Certificates: func(string) []Binding {
		return []Binding{{Roles: []Role{Viewer}, Groups: []AppGroup{"retail"}}}
	}}

	want := func(when string, in ...ident.AppName) {
		t.Helper()
		for _, app := range []ident.AppName{"shop", "bank"} {
			may := slices.Contains(in, app)
			for _, credential := range []string{key.Reveal(), "fixed"} {
				p, err := ways.Connect(t.Context(), credential, nil)
				if err != nil || p.In(app) != may {
					t.Errorf("%s: in %s: %v %v", when, app, p.In(app), err)
				}
				publish, subscribe := p.Permissions()
				for _, subjects := range [][]string{publish, subscribe} {
					if slices.ContainsFunc(subjects, func(s string) bool { return strings.Contains(s, "."+string(app)+".") }) != may {
						t.Errorf("%s: on NATS in %s: %v", when, app, subjects)
					}
				}
			}
			held, err := roster.Holds(t.Context(), l.Principal, Propose, app)
			if err != nil || held != may || b.May(key.ID, ReadPerson, app) != may {
				t.Errorf("%s: the roster in %s: %v %v", when, app, held, err)
			}
			if held, _ := roster.Holds(t.Context(), "p-cert", Count, app); held != may {
				t.Errorf("%s: a certificate in %s: %v", when, app, held)
			}
			if w, _ := b.asks("GET", "/v1/apps/"+string(app)+"/activity", "Authorization: Bearer "+key.Reveal()); (w.Code == 200) != may {
				t.Errorf("%s: %s: %d", when, app, w.Code)
			}
		}
	}

	want("at first", "shop")
	stood, _ := ways.Connect(t.Context(), key.Reveal(), nil)
	for _, c := range []struct {
		when string
		is   []ident.AppName
	}{{"another joins", []ident.AppName{"bank", "shop"}}, {"one leaves", []ident.AppName{"bank"}}, {"it is empty", nil}, {"one is in again", []ident.AppName{"shop"}}} {
		moves := b.Moves()
		b.groups["retail"] = c.is
		if err := b.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		want(c.when, c.is...)
		if b.Moves() != moves+1 || b.Moved(stood.Bindings) == slices.Equal(c.is, []ident.AppName{"shop"}) {
			t.Errorf("%s: moves %d after %d; a connection that stands sees it: %v", c.when, b.Moves(), moves, b.Moved(stood.Bindings))
		}
	}

	if a := b.known.Load().keys[key.ID].Answer(b.at); !slices.Equal(a.Apps, []string{"group:retail"}) || !slices.Equal(a.Reaches, []string{"shop"}) {
		t.Errorf("%+v", a)
	}
	if p, err := b.process().Authenticate(key.Reveal()); err != nil || !p.In("shop") {
		t.Errorf("another process: %+v %v", p, err)
	}
}

// TestAnAppThatMovesBetweenGroupsHasItInItsLog: who may do what in it from then on.
func TestAnAppThatMovesBetweenGroupsHasItInItsLog(t *testing.T) {
	b := newBench(t)
	b.groups = map[AppGroup][]ident.AppName{"retail": {"shop"}}
	_, l := b.issue(Wish{Roles: []Role{Viewer}, Groups: []AppGroup{"retail"}})
	settle := func(apps ...ident.AppName) {
		t.Helper()
		b.groups["retail"] = apps
		if err := errors.Join(b.Read(t.Context()), b.Settle(t.Context()), b.SettleGrants(t.Context(), b.Grants)); err != nil {
			t.Fatal(err)
		}
	}

	settle("shop")
	b.wantRoles(l.Principal + " viewer")
	settle()
	settle()
	b.wantRoles(l.Principal+" viewer", l.Principal+" none")
	settle("shop", "bank")
	b.wantRoles(l.Principal+" viewer", l.Principal+" none", l.Principal+" viewer")
	if notes := b.notes("bank"); len(notes) != 2 || !strings.HasPrefix(notes[0], "key.issued "+l.ID) {
		t.Errorf("the bank, which joined later: %q", notes)
	}

	if _, err := b.Revoke(t.Context(), l.ID, "p-admin"); err != nil {
		t.Fatal(err)
	}
	settle("shop", "bank")
	b.wantRoles(l.Principal+" viewer", l.Principal+" none", l.Principal+" viewer", l.Principal+" none")
}

func TestGroupsAreReadOnlyWhereSomebodyHasARoleInOne(t *testing.T) {
	b, read := newBench(t), 0
	b.Groups = func(context.Context) (map[AppGroup][]ident.AppName, error) { read++; return nil, nil }
	b.issue(Wish{Roles: []Role{Writer}, Apps: []ident.AppName{"shop"}})
	if err := b.Read(t.Context()); err != nil || read != 0 {
		t.Errorf("read %d times: %v", read, err)
	}

	_, l := b.issue(Wish{Roles: []Role{Writer}, Groups: []AppGroup{"nobody"}})
	if a := l.Answer(b.at); read == 0 || a.Reaches == nil || len(a.Reaches) > 0 {
		t.Errorf("a group that no app is in: %+v", a)
	}

	_, _, err := b.Issue(t.Context(), Wish{Name: "x", Roles: []Role{Administrator}, Groups: []AppGroup{"retail"}, Lasts: 1}, "")
	if _, is := errors.AsType[refusal.Refusal](err); !is || !strings.Contains(err.Error(), "all apps") {
		t.Errorf("an administrator of a group: %v", err)
	}
	_, _, err = b.Issue(t.Context(), Wish{Name: "x", Roles: []Role{Writer, Officer}, Groups: []AppGroup{"a"}, Lasts: 1}, "")
	if _, is := errors.AsType[refusal.Refusal](err); !is {
		t.Errorf("roles that nobody has both of: %v", err)
	}
}
