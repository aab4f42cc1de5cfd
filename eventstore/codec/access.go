package codec

import (
	"consentledger/domain"
	"consentledger/domain/deadline"
)

// accessShapes are of what was asked of the ledger, and answered.
var accessShapes = []shape{
	written[checkAnsweredV1]("check.answered.v1", func(e domain.CheckAnswered) any { return answeredShape(e) }),
	split[dataAccessedV1]("data.accessed.v1", accessShape),
}

// accessShape returns the shape of an access. Who reads and why is personal,
// and the reader's own.
func accessShape(e domain.DataAccessed) (any, []Plain) {
	s := dataAccessedV1{
		Accessor: e.Accessor,
		Events:   nil,
		From:     int64(e.From),
		Kind:     string(e.Kind),
		Parts:    e.Parts,
		Reason:   e.Reason,
		Records:  e.Records,
		Roles:    e.Roles,
		Subject:  e.Subject,
		To:       int64(e.To),
	}
	for _, id := range e.Events {
		s.Events = append(s.Events, eventID(id))
	}
	plains := append(personal("accessor", e.Name), personal("why", e.Words)...)
	for i := range plains {
		plains[i].Ref = e.Accessor
	}
	return s, plains
}

type dataAccessedV1 struct {
	Accessor string   `json:"accessor,omitzero"`
	Events   []string `json:"events,omitempty"`
	From     int64    `json:"from,omitzero"`
	Kind     string   `json:"kind"`
	Parts    int      `json:"parts"`
	Reason   string   `json:"reason"`
	Records  int      `json:"records"`
	Roles    []string `json:"roles,omitempty"`
	Subject  string   `json:"subject,omitzero"`
	To       int64    `json:"to,omitzero"`
}

func (s dataAccessedV1) event() (domain.Event, error) {
	var r reader
	e := domain.DataAccessed{
		Kind: domain.AccessKind(s.Kind), Subject: s.Subject, From: deadline.Instant(s.From), To: deadline.Instant(s.To),
		Roles: s.Roles, Records: s.Records, Parts: s.Parts, Reason: s.Reason, Accessor: s.Accessor,
	}
	for _, id := range s.Events {
		e.Events = append(e.Events, r.eventID(id))
	}
	return e, r.err
}
