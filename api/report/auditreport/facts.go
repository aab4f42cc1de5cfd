package auditreport

import (
	"strconv"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
)

// read counts who read or asked, and what they were shown.
func (c *counting) read(e codec.Entry) {
	who := Reader{Kind: e.Kind(), Who: e.RecordedBy}
	x, is := e.Event.(domain.DataAccessed)
	if is {
		who.Way, who.Reason = string(x.Kind), x.Reason
	}
	n := c.access[who]
	c.access[who] = seen{n.times + 1, n.records + int64(x.Records), n.parts + int64(x.Parts)}
}

func (c *counting) noted(e codec.Entry, x domain.Noted) {
	switch x.Kind {
	case "recipient.added", "recipient.changed", "recipient.removed", "entrustment.agreed", "entrustment.ended",
		"disclosure.made", "transfer.merger",
		"crossborder.started", "crossborder.stopped", "crossborder.filed":
		c.r.Sharing = append(c.r.Sharing, noteOf(e.ID.String(), e.Recorded, x.Kind, x.Fields))
	case "data.deleted", "processing.stopped", "retention.ended", "cessation.deleted":
		c.erasures[string(x.Kind)]++
	case catalog.ClockObserved:
		name := field(x.Fields, "observation")
		if d := field(x.Fields, "direction"); d != "" {
			name += " " + d
		}
		c.clock[name]++
	}
}

func noteOf(event string, recorded deadline.Instant, kind catalog.Note, fields []policy.Field) Note {
	n := Note{event, moment(recorded), string(kind), []Pair{}}
	for _, f := range fields {
		n.Fields = append(n.Fields, Pair(f))
	}
	return n
}

func field(fields []policy.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// An occurrence is an incident as it is followed from step to step.
type occurrence struct {
	Incident
	known, authority, persons deadline.Instant
	over                      bool // since before the span
}

// incident follows an incident from step to step, in whatever order they came. A
// notice counts from the earliest that was given, and from when the incident was
// first known.
func (c *counting) incident(e codec.Entry, x domain.Stepped) {
	stream := e.Stream.String()
	i := c.incidents[stream]
	if i == nil {
		i = &occurrence{Incident: Incident{Stream: stream, Kind: x.Field("kind")}}
		c.incidents[stream] = i
	}
	if rule, _ := catalog.StepRuleOf(x.Kind); rule.Opens() {
		i.known = sooner(i.known, min(e.At, e.Recorded))
	}

	at := max(e.At, e.Recorded) // what somebody says that they did counts from the later, unless something shows it
	if x.Evidence != (content.Hash{}) {
		at = min(e.At, e.Recorded)
	}
	i.over = i.over && e.Position <= c.begin
	switch x.Kind {
	case "incident.classified":
		i.Level = x.Field("level")
	case "incident.authority-told":
		i.authority = sooner(i.authority, at)
	case "incident.persons-told", "incident.announced", "incident.guardians-told":
		i.persons = sooner(i.persons, at)
	case "incident.reopened":
		i.Closed = ""
	case "incident.closed", "incident.dismissed":
		i.Closed, i.over = moment(max(e.At, e.Recorded)), e.Position <= c.begin
	}
}

func sooner(was, at deadline.Instant) deadline.Instant {
	if was == 0 {
		return at
	}
	return min(was, at)
}

// told returns when somebody was told, and how many minutes after it was known.
func (i *occurrence) told(at deadline.Instant) (when, minutes string) {
	if at == 0 {
		return "", ""
	}
	return moment(at), strconv.FormatInt(int64(at-i.known)/int64(deadline.Minute), 10)
}

// shown returns the incident as the report has it.
func (i *occurrence) shown() Incident {
	i.Known = moment(i.known)
	i.Authority, i.AuthorityMins = i.told(i.authority)
	i.Persons, i.PersonsMins = i.told(i.persons)
	return i.Incident
}
