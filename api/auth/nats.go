package auth

import (
	"strings"

	"consentledger/api/natsrest"
	"consentledger/api/wire/subject"
	"consentledger/domain"
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
// What is sent there by package natsrest names the sender once more, by the key in a
// header Authorization: NATS does not tell a receiver who sent a message.
var Subjects = subjects()

func subjects() []Subject {
	all := []Subject{
		{Subject: subject.Of("{app}", "record"), Operation: Record},
		{Subject: subject.Of("{app}", subject.In+">"), Operation: Record},
		{Subject: subject.Of("{app}", "check"), Operation: Check},
		{Subject: subject.Of("{app}", "prompt"), Operation: Prompt},
		{Subject: subject.Of("{app}", "out.>"), Operation: Listen, Listens: true},
	}
	for _, r := range natsrest.Routes {
		route, has := RouteOf(r.Method, r.Path)
		if !has {
			panic("auth: no row of the route " + r.Method + " " + r.Path)
		}
		all = append(all, Subject{
			Subject: strings.Replace(r.Subject, "*", "{app}", 1), Operation: route.Operation, AllApps: route.Scope == OfAll,
		})
	}
	return all
}

// InboxOf returns where the holder of a key gets answers on NATS, and nobody else does:
// who could listen to all of _INBOX would hear what others asked.
func InboxOf(key string) string { return "_INBOX." + key }

// Permissions returns the subjects of NATS that p may publish and subscribe to. There is
// always one, so that neither list means everything.
func (p Principal) Permissions() (publish, subscribe []string) {
	publish, subscribe = []string{"$SRV.PING"}, []string{InboxOf(p.Key) + ".>"}
	for _, s := range Subjects {
		if !p.May(s.Operation) || s.AllApps && !p.AllApps {
			continue
		}
		for _, app := range p.tokens() {
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

// tokens are what stands for the apps of p in a subject. What is no app's name stands
// in none, whatever a row says.
func (p Principal) tokens() []string {
	if p.AllApps {
		return []string{"*"}
	}
	var names []string
	for _, app := range p.Apps {
		if _, err := domain.ParseAppName(string(app)); err == nil {
			names = append(names, string(app))
		}
	}
	return names
}
