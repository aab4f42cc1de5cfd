package account

import (
	"strconv"

	"consentledger/domain"
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
	case "recipient.added", "recipient.changed", "recipient.removed", "entrustment.agreed", "entrustment.ended", "disclosure.made", "transfer.merger",
		"crossborder.started", "crossborder.stopped", "crossborder.filed":
		c.r.Sharing = append(c.r.Sharing, noteOf(e, x))
	case "data.deleted", "processing.stopped", "retention.ended", "cessation.deleted":
		c.erasures[string(x.Kind)]++
	case domain.ClockObserved:
		name := field(x.Fields, "observation")
		if d := field(x.Fields, "direction"); d != "" {
			name += " " + d
		}
		c.clock[name]++
	}
}

func noteOf(e codec.Entry, x domain.Noted) Note {
	n := Note{e.ID.String(), moment(e.Recorded), string(x.Kind), []Pair{}}
	for _, f := range x.Fields {
		n.Fields = append(n.Fields, Pair(f))
	}
	return n
}

func field(fields []domain.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// incident follows an incident from step to step. A notice counts from when the
// incident was first known.
func (c *counting) incident(e codec.Entry, x domain.Stepped) {
	stream := e.Stream.String()
	i := c.incidents[stream]
	if i == nil {
		i = &Incident{Stream: stream, Kind: x.Field("kind"), Known: moment(min(e.At, e.Recorded))}
		c.incidents[stream], c.known[stream] = i, min(e.At, e.Recorded)
	}
	at := max(e.At, e.Recorded) // what somebody says that they did counts from the later
	minutes := strconv.FormatInt(int64(at-c.known[stream])/int64(domain.Minute), 10)
	switch x.Kind {
	case "incident.classified":
		i.Level = x.Field("level")
	case "incident.authority-told":
		if i.Authority == "" {
			i.Authority, i.AuthorityMins = moment(at), minutes
		}
	case "incident.persons-told", "incident.announced", "incident.guardians-told":
		if i.Persons == "" {
			i.Persons, i.PersonsMins = moment(at), minutes
		}
	case "incident.closed", "incident.dismissed":
		if i.Closed = moment(at); e.Position <= c.begin {
			delete(c.incidents, stream)
		}
	}
}
