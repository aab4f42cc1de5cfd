package auth

import (
	"time"

	"consentledger/api/nats/subject"
	"consentledger/domain/ident"
)

// Asking names who sends a request over NATS, to count what each has under way. NATS does not
// tell a receiver who sent a message, but whoever wants to hear the answer names an inbox of
// their own: see [Principal.Inbox]. All keys of one holder are one, if they may do this in
// the app. Anybody else has the name of their inbox, in this app alone.
//
// It is no proof: who sends may name the inbox of another, and then hears no answer. So it
// says who is one too many, and nothing else.
func (k *Keys) Asking(inbox string, op Operation, app ident.AppName) string {
	name := subject.InboxName(inbox)
	if p, good := k.holder(name); good {
		if row, has := rowOf(op); has && p.doing(row).In(app) {
			return p.Pseudonym
		}
	}
	return string(app) + " " + name
}

// holder returns whose a key is, by its id, if it lets somebody in now.
func (k *Keys) holder(id string) (Principal, bool) {
	known := k.known.Load()
	if known == nil || time.Since(known.read) > knownStays {
		return Principal{}, false
	}
	l, has := known.keys[id]
	if !has || l.Ended(k.Now()) {
		return Principal{}, false
	}
	return l.principal(), true
}
