package auth

import (
	"context"
	"maps"
	"slices"
	"strings"

	"consentledger/domain/ident"
	"consentledger/domain/policy"
)

// An AppGroup names the apps that are registered with it: the apps of one handler that
// answer together. A grant that names a group is for the apps that are in it at the moment
// that something is asked for, and an app is moved by registering it with another group. So
// there is no list of a group's apps that could name one that is unknown.
type AppGroup string

// groupMark begins a group where a grant could name an app. No app's name has a colon: a
// program that knows no groups takes it for an app that nobody has, and lets nobody in by it.
const groupMark = "group:"

var errGroup = parseError(`a group of apps is named as in group:retail, by 1 to 64 of a-z, 0-9 and "-"`)

// ParseApps reads what a grant is for: names of apps, and groups of them as in group:retail.
func ParseApps(texts []string) (apps []ident.AppName, groups []AppGroup, err error) {
	for _, text := range texts {
		if name, is := strings.CutPrefix(text, groupMark); is {
			if _, err := policy.ParsePurposeID(name); err != nil { // as an app's group is named
				return nil, nil, errGroup
			}
			groups = append(groups, AppGroup(name))
			continue
		}

		app, err := ident.ParseAppName(text)
		if err != nil {
			return nil, nil, err
		}
		apps = append(apps, app)
	}
	return apps, groups, nil
}

// appTexts writes what [ParseApps] reads.
func appTexts(apps []ident.AppName, groups []AppGroup) (texts []string) {
	for _, app := range apps {
		texts = append(texts, string(app))
	}
	for _, g := range groups {
		texts = append(texts, groupMark+string(g))
	}
	return texts
}

// Reach returns bindings with the apps that their groups have now. Whoever is authenticated
// has been through it, so that an app that leaves a group is out of reach with the next
// request.
func (k *Keys) Reach(bindings []Binding) []Binding {
	if !slices.ContainsFunc(bindings, func(b Binding) bool { return len(b.Groups) > 0 }) {
		return bindings
	}

	bindings = slices.Clone(bindings)
	for i, b := range bindings {
		bindings[i].Reached = k.reached(b.Groups)
	}
	return bindings
}

// Moved reports whether groups of bindings have other apps now than they had at the moment
// of [Keys.Reach].
func (k *Keys) Moved(bindings []Binding) bool {
	return slices.ContainsFunc(bindings, func(b Binding) bool {
		return !slices.Equal(b.Reached, k.reached(b.Groups))
	})
}

// reached returns the apps of groups; nil: none is named.
func (k *Keys) reached(groups []AppGroup) []ident.AppName {
	if len(groups) == 0 {
		return nil
	}
	apps := []ident.AppName{}
	if known := k.known.Load(); known != nil {
		apps = known.groups.of(groups)
	}
	return apps
}

// members are the apps of groups.
type members map[AppGroup][]ident.AppName

// of returns the apps of some groups, each once.
func (m members) of(groups []AppGroup) []ident.AppName {
	apps := []ident.AppName{}
	for _, g := range groups {
		apps = append(apps, m[g]...)
	}
	slices.Sort(apps)
	return slices.Compact(apps)
}

// readGroups returns which apps are in which group, if anybody has a grant for one; none:
// nobody has, and so nothing is read.
func (k *Keys) readGroups(ctx context.Context, keys map[string]Listed) (members, error) {
	for _, l := range keys {
		if len(l.Groups) > 0 {
			k.grouped.Store(true)
		}
	}
	if k.Groups == nil || !k.grouped.Load() && (k.FileGroups == nil || !k.FileGroups()) {
		return nil, nil
	}
	return k.Groups(ctx)
}

// Moves says how often apps were seen to move between groups: whoever has to act on that
// compares it with what it was.
func (k *Keys) Moves() int {
	if known := k.known.Load(); known != nil {
		return known.moves
	}
	return 0
}

// moved reports whether groups have other apps than they had.
func (m members) moved(was members) bool {
	return !maps.EqualFunc(m, was, func(a, b []ident.AppName) bool { return slices.Equal(a, b) })
}

// Grants returns what keys give by groups of apps, and so gives something else when an app
// moves: see [Keys.SettleGrants].
func (k *Keys) Grants() (grants []Grant) {
	known := k.known.Load()
	if known == nil {
		return nil
	}
	for _, l := range known.keys {
		if len(l.Groups) > 0 && !l.Ended(k.Now()) {
			grants = append(grants, Grant{Holder: l.Principal, Binding: Binding{Roles: l.Roles, Groups: l.Groups}})
		}
	}
	return grants
}

// May reports whether the holder of a key may do an operation in an app now.
func (k *Keys) May(id string, op Operation, app ident.AppName) bool {
	p, good := k.holder(id)
	row, has := rowOf(op)
	return good && has && p.doing(row).In(app)
}
