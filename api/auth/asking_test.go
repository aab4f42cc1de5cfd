package auth

import (
	"testing"
	"time"

	"consentledger/domain/ident"
)

// All keys of one holder are one in whatever app they may ask in. Whoever has no key that is
// good for the app is counted by the name of the inbox, in this app alone: so nobody who may
// not record in an app fills the part of those who may.
func TestWhoAsksOverNATSIsCountedByTheHolderOfTheirKey(t *testing.T) {
	b := newBench(t)
	_, first := b.issue(Wish{Name: "back end", Roles: []Role{Writer}, Apps: []ident.AppName{"shop"}, Lasts: 24 * time.Hour})
	_, second := b.issue(Wish{Name: "back end", Roles: []Role{Writer}, Apps: []ident.AppName{"shop"}, Lasts: 72 * time.Hour,
		Principal: first.Principal})
	_, reader := b.issue(Wish{Name: "reader", Roles: []Role{AppReader}, Apps: []ident.AppName{"shop"}, Lasts: 72 * time.Hour})
	inbox := func(l Listed) string { return l.principal().Inbox() + ".x.1" }

	for _, c := range []struct {
		inbox, want string
		op          Operation
		app         ident.AppName
	}{
		{inbox(first), first.Principal, Record, "shop"},
		{inbox(second), first.Principal, Record, "shop"},
		{"_GR_.a.b." + inbox(first), first.Principal, Check, "shop"},
		{inbox(first), "bank " + first.ID, Record, "bank"},
		{inbox(reader), "shop " + reader.ID, Record, "shop"},
		{inbox(reader), reader.Principal, Check, "shop"},
		{"_INBOX.cert-shop.x", "shop cert-shop", Record, "shop"},
		{"_INBOX." + first.Principal + ".x", "shop " + first.Principal, Record, "shop"},
		{"", "shop ", Record, "shop"},
	} {
		if got := b.Asking(c.inbox, c.op, c.app); got != c.want {
			t.Errorf("%s in %s by %q: %q, want %q", c.op, c.app, c.inbox, got, c.want)
		}
	}

	b.at += 2 * 24 * 3600 * 1000
	if got := b.Asking(inbox(first), Record, "shop"); got != "shop "+first.ID {
		t.Errorf("by a key that has ended: %q", got)
	}
	if got := b.Asking(inbox(second), Record, "shop"); got != first.Principal {
		t.Errorf("by the other key: %q", got)
	}
}
