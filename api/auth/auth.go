// Package auth says who may do what, and who it is that asks.
//
// A [Principal] is whoever was authenticated: a back end, an officer, a machine that
// reads metrics. It has roles, in some apps or in all of them. What each [Role] may do
// stands in one table, [Operations]; which operation a route of HTTP is stands in
// [Routes], and a subject of NATS is the operation of its route. docs/access.md is
// written from both, and what has no row is done by nobody.
//
// A principal is authenticated in one of several [Ways]: by an API key, see [Key], or by
// what the packages below this one know. Which it was makes no difference later. Keys lie as rows beside the
// persons, where every process of a ledger sees them; whoever reads those rows has no
// key, but for what it may do. [Keys] follows them, so that a key that is revoked ends
// within a second or so in every process, without a restart. That a key was issued or
// revoked is a record in the log of each app that it is for.
//
// Records name a principal by a random pseudonym: a log is kept for ever, and who works
// for somebody is personal, too. The name stands in the row of the key alone.
package auth

import (
	"context"
	"slices"
	"strings"
	"time"

	"consentledger/domain/ident"
)

// A Role says what somebody may do, in the apps that they may do it in.
type Role string

const (
	Writer        Role = "app-writer"
	AppReader     Role = "app-reader"
	Support       Role = "support-agent"
	Officer       Role = "privacy-officer"
	Approver      Role = "approver"
	Auditor       Role = "auditor"
	Regulator     Role = "regulator"
	Viewer        Role = "viewer"
	Administrator Role = "administrator"
)

// Roles says what each role is for, in the order of docs/access.md.
var Roles = []struct {
	Role Role
	Says string
}{
	{Writer, "the back end of an app: records what persons say, asks what may be done and what to ask"},
	{AppReader, "a program that asks where persons stand, and records nothing"},
	{Support, "helps one person after the other: sees where they stand, and their requests"},
	{Officer, "answers for the app: publishes policies, works on requests, records what operators record"},
	{Approver, "the second person: approves or declines what another principal proposed"},
	{Auditor, "verifies and replays history, for 31 days at most"},
	{Regulator, "sees policies, counts, reports and proofs, and no person by an id"},
	{Viewer, "sees counts and how the ledger does"},
	{Administrator, "registers apps and issues keys; sees no person"},
}

// ParseRole returns the role of that name.
func ParseRole(s string) (Role, error) {
	for _, r := range Roles {
		if string(r.Role) == s {
			return r.Role, nil
		}
	}
	return "", errRole
}

// A Principal is who was authenticated.
type Principal struct {
	Pseudonym string // as records name it: 1 to 64 of a-z, 0-9 and "-"
	Key       string // the id of the key that it came with, or the name of the certificate; of a token empty
	Bindings  []Binding
	Only      *Only     // nil: nothing narrows it
	Ends      time.Time // when what they showed lets nobody in any more
}

// An Only narrows a principal to one person, and to a few of the operations that its
// roles allow. Guard holds it to the operations; whom something is about stands in the
// body mostly, so that the routes ask for it, with [About].
type Only struct {
	Person     ident.PersonKey
	Operations []Operation
}

// A Binding is roles in some apps, or in all of them.
type Binding struct {
	Roles   []Role
	Apps    []ident.AppName // of none in particular: nil
	Groups  []AppGroup      // and the apps that are in these
	AllApps bool

	// Reached are the apps of Groups, at the moment of [Keys.Reach].
	Reached []ident.AppName
}

// In reports whether b is for an app.
func (b Binding) In(app ident.AppName) bool {
	return b.AllApps || slices.Contains(b.Apps, app) || slices.Contains(b.Reached, app)
}

// names returns the apps that b is for, unless it is for all of them.
func (b Binding) names() []ident.AppName { return slices.Concat(b.Apps, b.Reached) }

// Texts returns what b is for, as [ParseApps] reads it.
func (b Binding) Texts() []string { return appTexts(b.Apps, b.Groups) }

// may reports whether one of the roles of b allows what row is of.
func (b Binding) may(row Row) bool {
	return row.Any || slices.ContainsFunc(row.Roles, func(r Role) bool { return slices.Contains(b.Roles, r) })
}

// Check returns what is wrong with a binding: roles that nobody has both of, a role
// without an app.
func (b Binding) Check() error {
	switch {
	case len(b.Roles) == 0:
		return parseError("roles: name one at least; there are: " + roleNames())
	case b.AllApps == (len(b.Apps)+len(b.Groups) > 0):
		return parseError("apps: name apps or groups of apps, or say that it is all of them, and not both")
	case slices.Contains(b.Roles, Administrator) && !b.AllApps:
		return parseError("apps: an administrator is one of all apps")
	}
	return checkApart(b.Roles)
}

// checkApart refuses roles that nobody has both of.
func checkApart(roles []Role) error {
	for _, two := range apart {
		if slices.Contains(roles, two[0]) && slices.Contains(roles, two[1]) {
			return parseError("roles: nobody is both " + string(two[0]) + " and " + string(two[1]))
		}
	}
	return nil
}

// CheckTogether refuses bindings of one principal that hold roles that nobody has both
// of, in whatever apps.
func CheckTogether(bindings []Binding) error {
	var roles []Role
	for _, b := range bindings {
		roles = append(roles, b.Roles...)
	}
	return checkApart(roles)
}

// InGroups reports whether p has a role in a group of apps.
func (p Principal) InGroups() bool {
	return slices.ContainsFunc(p.Bindings, func(b Binding) bool { return len(b.Groups) > 0 })
}

// In reports whether p may do anything at all in an app.
func (p Principal) In(app ident.AppName) bool {
	return slices.ContainsFunc(p.Bindings, func(b Binding) bool { return b.In(app) })
}

// everywhere reports whether p may do anything in every app.
func (p Principal) everywhere() bool {
	return slices.ContainsFunc(p.Bindings, func(b Binding) bool { return b.AllApps })
}

// May reports whether one of the roles of p allows an operation, in whatever app.
func (p Principal) May(op Operation) bool {
	row, has := rowOf(op)
	return has && len(p.doing(row).Bindings) > 0
}

// doing returns p with what allows it to do what row is of, and nothing else: a role in
// one app must not open another app in which p has another role.
func (p Principal) doing(row Row) Principal {
	if p.Only != nil && !slices.Contains(p.Only.Operations, row.Operation) {
		p.Bindings = nil
	}
	if !slices.ContainsFunc(p.Bindings, func(b Binding) bool { return !b.may(row) }) {
		return p
	}
	p.Bindings = slices.DeleteFunc(slices.Clone(p.Bindings), func(b Binding) bool { return !b.may(row) })
	return p
}

type principalKey struct{}

// With returns a context of what p does.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns who does what ctx is of; not ok: nobody was authenticated.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}

// Recorder returns how a record names who does what ctx is of; empty: nobody was
// authenticated.
func Recorder(ctx context.Context) string {
	p, _ := From(ctx)
	return p.Pseudonym
}

// About returns the one person that who does what ctx is of may speak about; not ok: they
// may speak about everybody.
func About(ctx context.Context) (ident.PersonKey, bool) {
	p, _ := From(ctx)
	if p.Only == nil {
		return ident.PersonKey{}, false
	}
	return p.Only.Person, true
}

// Sees reports whether who does what ctx is of may see that an app exists. Where
// nobody is authenticated, everybody may.
func Sees(ctx context.Context, app ident.AppName) bool {
	p, authenticated := From(ctx)
	return !authenticated || p.In(app)
}

// who lists the roles of an operation for people.
func who(roles []Role) string {
	var names []string
	for _, r := range roles {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// roleNames lists all roles for people.
func roleNames() string {
	var names []string
	for _, r := range Roles {
		names = append(names, string(r.Role))
	}
	return strings.Join(names, ", ")
}

// A parseError says what is wrong with a text, and not the text.
type parseError string

func (e parseError) Error() string { return string(e) }

var errRole = parseError("there is no such role; there are: " + roleNames())
