package wire

import (
	"strconv"
	"strings"

	"consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// An Outgoing is what the ledger tells on NATS of an obligation: a CloudEvent
// that holds nothing personal. Its subject is the stream that tells of it.
type Outgoing struct {
	SpecVersion     string       `json:"specversion"`
	ID              string       `json:"id"` // of the record, and its number if the record says more: the same however often it is told
	Source          string       `json:"source"`
	Type            string       `json:"type"` // "obligation.overdue"
	Subject         string       `json:"subject"`
	Time            string       `json:"time"`
	DataContentType string       `json:"datacontenttype"`
	Data            OutgoingData `json:"data"`
}

// OutgoingData says which obligation it is, and by when it is owed: Due is the
// last day, Until the instant that it ends with, or is the end of what is
// counted in hours. What has no date yet, or stands still, has neither.
type OutgoingData struct {
	App        string `json:"app"`
	Obligation string `json:"obligation"`
	Kind       string `json:"kind"`
	Target     string `json:"target,omitzero"` // the system or recipient that owes it
	Rule       string `json:"rule"`
	Due        string `json:"due,omitzero"`
	Until      string `json:"until,omitzero"`
	Pseudonym  string `json:"pseudonym,omitzero"`   // of whom it is owed to
	Cause      string `json:"cause,omitzero"`       // the kind of fact that it follows from
	CauseEvent string `json:"cause_event,omitzero"` // and its id
	Met        string `json:"met,omitzero"`         // when it was done
	Late       bool   `json:"late,omitzero"`
	Reason     string `json:"reason,omitzero"` // why nothing is owed any more, or why the date moved
	Position   string `json:"position"`

	Keeps string `json:"keeps,omitzero"` // purposes, with commas, whose data stay all the same: they rest on no consent
}

// Told returns of what in an entry [OutgoingOf] tells: the entry itself if it is about
// an obligation, or what it says of obligations beside its event.
func Told(e codec.Entry) []codec.Entry {
	if strings.HasPrefix(e.Type, "obligation.") {
		return []codec.Entry{e}
	}
	return e.Owed()
}

// OutgoingOf returns what is told of e, which duties know: those of its stream,
// as they are with it or later. Of what a record says beside its event each has the
// record's id and its number.
func OutgoingOf(e codec.Entry, duties cases.Duties) (Outgoing, bool) {
	data := OutgoingData{App: string(e.Stream.App), Position: FormatPosition(e.Position)}
	id, until, says := told(&data, e.Event)
	d, ok := duties.Find(id)
	if !ok {
		return Outgoing{}, false
	}
	if !says {
		until = d.Due.Until // of what is closed it changes no more
	}

	data.Obligation, data.Kind, data.Target, data.Rule = id, string(d.Kind), d.Target, string(d.Rule.ID)
	data.Pseudonym, data.Cause = d.Cause.Subject, d.Cause.Kind
	if d.Cause.Event != (ident.EventID{}) {
		data.CauseEvent = eventstore.EventID(d.Cause.Event).String()
	}

	data.Due, data.Until = untilOf(until, d.Rule)
	for i, p := range d.Keeps {
		data.Keeps += map[bool]string{true: ","}[i > 0] + string(p)
	}

	name := e.ID.String()
	if e.ID == eventstore.EventID(d.Cause.Event) {
		name += "/" + strconv.FormatUint(uint64(e.Revision), 10)
	}

	return Outgoing{
		SpecVersion: "1.0", ID: name, Source: "consentledger/" + string(e.Stream.App), Type: e.Kind(),
		Subject: e.Stream.String(),
		Time:    e.Recorded.String(), DataContentType: "application/json", Data: data,
	}, true
}

// told returns which obligation an event is about and, if the event says so,
// its end.
func told(d *OutgoingData, e domain.Event) (id string, until deadline.Instant, says bool) {
	switch x := e.(type) {
	case domain.ObligationOpened:
		return x.Obligation.ID, x.Due.Until, true
	case domain.ObligationMoved:
		d.Reason = x.Why.String()
		return x.ID, x.Due.Until, true
	case domain.ObligationAtRisk:
		return x.ID, x.Until, true
	case domain.ObligationOverdue:
		return x.ID, x.Until, true
	case domain.ObligationMet:
		d.Met, d.Late = x.Met.String(), x.Late
		return x.ID, 0, false
	case domain.ObligationVoided:
		d.Reason = x.Reason
		return x.ID, 0, false
	}
	return "", 0, false
}

// untilOf writes the end of what is owed, and its last day if it is counted in days.
func untilOf(until deadline.Instant, rule deadline.Rule) (due, instant string) {
	if until == 0 {
		return "", ""
	}
	if zone, err := deadline.ParseZone(rule.TimeZone); err == nil && rule.Unit != deadline.UnitHour {
		due = zone.Date(until - 1).String()
	}
	return due, until.String()
}
