package auth

import (
	"cmp"
	"slices"
	"strings"

	"consentledger/api/nats/operator"
	"consentledger/api/nats/subject"
	"consentledger/domain/ident"
)

// A Subject is one of NATS, with {app} in the place of an app's name.
type Subject struct {
	Subject   string
	Operation Operation
	Listens   bool // it is subscribed to; else published to
	AllApps   bool // only who may do it in every app may
}

// Subjects are all that clients of a ledger use. Those of operators are the operation of
// the route of HTTP that they are.
//
// What is sent there by package operator names the sender once more, by the key in a
// header Authorization: NATS does not tell a receiver who sent a message.
var Subjects = subjects()

func subjects() []Subject {
	all := []Subject{
		{Subject: subject.Of("{app}", "record"), Operation: Record},
		{Subject: subject.Of("{app}", subject.DryRun("record")), Operation: Record},
		{Subject: subject.Of("{app}", subject.In+">"), Operation: Record},
		{Subject: subject.Of("{app}", "check"), Operation: Check},
		{Subject: subject.Of("{app}", "prompt"), Operation: Prompt},
		{Subject: subject.Of("{app}", "out.>"), Operation: Listen, Listens: true},
	}
	for _, r := range operator.Routes {
		route, has := RouteOf(r.Method, r.Path)
		if !has {
			panic("auth: no row of the route " + r.Method + " " + r.Path)
		}
		all = append(all, Subject{
			Subject: strings.Replace(r.Subject, "*", "{app}", 1), Operation: route.Operation,
			AllApps: route.Scope == OfAll,
		})
	}
	return all
}

// InboxOf returns where the holder of a key gets answers on NATS, and nobody else does:
// who could listen to all of _INBOX would hear what others asked.
func InboxOf(key string) string { return "_INBOX." + key }

// Inbox returns where p gets answers on NATS: by the id of its key or the name of its
// certificate. Who comes by a token has no key, and is named by the pseudonym.
func (p Principal) Inbox() string { return InboxOf(cmp.Or(p.Key, p.Pseudonym)) }

// Permissions returns the subjects of NATS that p may publish and subscribe to. There is
// always one, so that neither list means everything.
func (p Principal) Permissions() (publish, subscribe []string) {
	publish, subscribe = []string{"$SRV.PING"}, []string{p.Inbox() + ".>"}
	for _, s := range Subjects {
		row, has := rowOf(s.Operation)
		if !has {
			continue
		}
		for _, app := range p.doing(row).tokens(s.AllApps) {
			name := strings.Replace(s.Subject, "{app}", app, 1)
			if s.Listens {
				subscribe = append(subscribe, name)
			} else {
				publish = append(publish, name)
			}
		}
	}
	return publish, subscribe
}

// tokens are what stands for the apps of p in a subject; with all, only for all of them.
// What is no app's name stands in none, whatever a row says.
func (p Principal) tokens(all bool) []string {
	if p.everywhere() {
		return []string{"*"}
	}
	var names []string
	for _, b := range p.Bindings {
		for _, app := range b.names() {
			if _, err := ident.ParseAppName(string(app)); err == nil && !all && !slices.Contains(names, string(app)) {
				names = append(names, string(app))
			}
		}
	}
	return names
}
