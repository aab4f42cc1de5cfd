package siem

import (
	"encoding/hex"
	"fmt"
	"slices"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
)

// ofEntry returns a record as an event. Of what the record says itself it takes the members
// that no person's data can stand in, by their names.
func (s Source) ofEntry(e codec.Entry) *event {
	var o *event
	switch said := e.Event.(type) {
	case domain.DataAccessed:
		o = s.ofAccess(e, said)
	case domain.CheckAnswered:
		o = s.of(apiActivity, reads, e.Recorded)
		o.asks(e.Kind())
		o.Resources = []resource{resourceOf(e.Stream)}
	case domain.Noted:
		o = s.ofNote(e, said)
	case domain.SubjectErased:
		o = s.ofChange(e, deletes)
	default: // any other record is a change of its stream
		o = s.ofChange(e, updates)
	}

	kind := e.Kind()
	if o.Message == "" {
		o.Message = kind + " in " + e.Stream.String()
	}
	o.Metadata.UID, o.Metadata.EventCode, o.Metadata.LogName = e.ID.String(), kind, "ledger"
	o.Metadata.TenantUID = string(e.Stream.App)
	if e.At != e.Recorded {
		o.Metadata.OriginalTime = e.At.String()
	}
	if e.Request.ID != ([16]byte{}) {
		o.Metadata.Correlation = hex.EncodeToString(e.Request.ID[:])
	}

	if o.Actor == nil {
		o.Actor = actorOf(e.RecordedBy)
	}
	o.Unmapped.Actor = e.Actor
	return o
}

func actorOf(principal string) *actor {
	if principal == "" {
		principal = nobody
	}
	return &actor{user{principal}}
}

func resourceOf(id ident.StreamID) resource {
	return resource{UID: id.String(), Type: string(id.Noun)}
}

// reasons are the codes that say why somebody read. A reader may name another; it is told
// as "another", since it is theirs and may say anything.
var reasons = []string{"subject-request", "dispute", "authority", "audit", "incident", domain.Unstated}

// ofAccess returns that somebody read.
func (s Source) ofAccess(e codec.Entry, a domain.DataAccessed) *event {
	o := s.of(apiActivity, reads, e.Recorded)
	o.asks(e.Kind() + "/" + string(a.Kind))
	o.Message = fmt.Sprintf("%s: %d records, %d personal texts", a.Kind, a.Records, a.Parts)
	o.Unmapped = unmapped{Access: string(a.Kind), Reason: a.Reason, Records: a.Records, Parts: a.Parts}
	if !slices.Contains(reasons, a.Reason) {
		o.Unmapped.Reason = "another"
	}

	read := ident.StreamID{Noun: ident.ServiceNoun, App: e.Stream.App, ID: ident.AppStream}
	if a.Subject != "" {
		read = ident.SubjectStream(e.Stream.App, a.Subject)
	}
	o.Resources = []resource{resourceOf(read)}
	return o
}

// ofNote returns what was noted: that keys and roles changed, or another change.
func (s Source) ofNote(e codec.Entry, n domain.Noted) *event {
	activity := 0
	switch n.Kind {
	case catalog.KeyIssued:
		activity = creates
	case catalog.KeyRotated:
		activity = changesKey
	case catalog.KeyRevoked:
		activity = disables
	case catalog.RolesChanged:
		activity = attachesPolicies
	default: // of anything else nothing is told but its kind
		return s.ofChange(e, updates)
	}

	o := s.of(accountChange, activity, e.Recorded)
	whose := policy.FieldOf(n.Fields, "principal")
	if whose == "" {
		whose = policy.FieldOf(n.Fields, "holder")
	}
	if whose == "" {
		whose = nobody
	}
	o.User = &user{whose}
	o.Unmapped = unmapped{Key: policy.FieldOf(n.Fields, "key"), Roles: policy.FieldOf(n.Fields, "roles")}
	if by := policy.FieldOf(n.Fields, "by"); by != "" {
		o.Actor = actorOf(by)
	}
	return o
}

// ofChange returns that something changed: the first record of a stream creates it.
func (s Source) ofChange(e codec.Entry, activity int) *event {
	if e.Revision == 1 {
		activity = creates
	}
	o := s.of(entityManagement, activity, e.Recorded)
	o.Entity = &entity{UID: e.Stream.String(), TypeID: other, Type: string(e.Stream.Noun)}
	return o
}
