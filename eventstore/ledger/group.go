package ledger

import (
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
)

// GroupRole is the role of the part that holds what was said to a group of
// apps, beside the first fact that it made in the first app that took it. It is
// what tells the other apps if whoever took it in dies halfway, and it is gone
// when the person is erased.
const GroupRole = "group-event"

// ToldGroup returns the request that records that every app of a group took or
// refused what a record has as [GroupRole]. Made twice it is recorded once.
func ToldGroup(app ident.AppName, group string, record eventstore.EventID) Request {
	id := "group told of " + record.String()
	fields := policy.Fields(map[string]string{"group": group, "record": record.String()})
	return Request{
		App: app, Source: "ledger", ID: id, Body: []byte(id), Actor: string(ident.System), RecordedBy: ident.Ledger,
		Command: domain.Say{Event: domain.Noted{Kind: catalog.GroupTold, Fields: fields}},
	}
}
