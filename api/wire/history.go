package wire

import (
	"fmt"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/eventstore/codec"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A HistoryEntry is a record as the outside sees it. It holds nothing that is
// sealed: Parts names what is.
type HistoryEntry struct {
	EventID    string         `json:"event_id"`
	Type       string         `json:"type"`
	Position   string         `json:"position"`
	Revision   uint64         `json:"revision"`
	At         string         `json:"at"`
	Recorded   string         `json:"recorded"`
	Claimed    string         `json:"claimed,omitzero"`
	Sequence   uint64         `json:"sequence,omitzero" doc:"the number that its source gave it; absent: none"`
	Actor      string         `json:"actor"`
	RecordedBy string         `json:"recorded_by"`
	OnBehalfOf string         `json:"on_behalf_of,omitzero"`
	Stream     string         `json:"stream"`
	Data       jsontext.Value `json:"data"`
	Parts      []string       `json:"parts"`
	Leaf       string         `json:"leaf,omitzero" doc:"the hash of the record in the log of its app: SHA-256 of a zero byte and the record (RFC 6962), in hexadecimal digits; only where hashes are asked for"`

	NotUnderstood string `json:"not_understood,omitzero" doc:"of an opt-out: the members that were not understood; the part claims has what they said"`

	Owed []OwedEntry `json:"owed,omitempty" doc:"what is owed since by rule, if the record says so itself: of a person's facts. What becomes of it are records of its stream"`
}

// An OwedEntry is an obligation that a record says beside its event.
type OwedEntry struct {
	Stream     string `json:"stream" doc:"of what becomes of it: with this and its id it is met or made void"`
	Obligation string `json:"obligation"`
	Kind       string `json:"kind"`
	Target     string `json:"target,omitzero" doc:"the system or recipient that owes it; absent: the handler"`
	Rule       string `json:"rule"`
	Due        string `json:"due,omitzero" doc:"the last day, as it was computed then; absent: it is counted in hours, or has no date yet"`
	Until      string `json:"until,omitzero" doc:"the instant at which it is late, as it was computed then; absent: it has no date yet"`
}

// owedOf returns what e says is owed.
func owedOf(e codec.Entry) []OwedEntry {
	var list []OwedEntry
	for _, o := range e.Owed() {
		x, opened := o.Event.(domain.ObligationOpened)
		if !opened {
			continue
		}
		w := OwedEntry{Stream: o.Stream.String(), Obligation: x.Obligation.ID, Kind: string(x.Obligation.Kind),
			Target: x.Obligation.Target, Rule: string(x.Obligation.Rule.ID)}
		w.Due, w.Until = untilOf(x.Due.Until, x.Obligation.Rule)
		list = append(list, w)
	}
	return list
}

// EntryOf returns the public form of e.
func EntryOf(e codec.Entry) (HistoryEntry, error) {
	h := HistoryEntry{
		EventID: e.ID.String(), Type: e.Kind(),
		Position: FormatPosition(e.Position), Revision: uint64(e.Revision),
		At: e.At.String(), Recorded: e.Recorded.String(), Actor: e.Actor, RecordedBy: e.RecordedBy,
		OnBehalfOf: e.OnBehalfOf, Stream: e.Stream.String(), Parts: []string{},
		Sequence: e.Request.Sequence, NotUnderstood: e.NotUnderstood,
	}
	if e.Claimed != 0 {
		h.Claimed = e.Claimed.String()
	}

	for _, p := range e.Parts {
		h.Parts = append(h.Parts, p.Role)
	}

	h.Owed = owedOf(e)
	var err error
	h.Data, err = publicData(e)
	if err != nil {
		return HistoryEntry{}, fmt.Errorf("record %d: %w", e.Position, err)
	}
	return h, nil
}

// publicData returns the data of e's line, with its times written as RFC 3339.
func publicData(e codec.Entry) (jsontext.Value, error) {
	data, err := codec.Public(e.Event)
	if err != nil {
		return nil, err
	}

	switch ev := e.Event.(type) {
	case domain.ConsentGiven:
		return setTime(data, "until", ev.Until)
	case domain.PolicyPublished:
		return setTime(data, "effective", ev.Effective)
	case domain.ExemptionInvoked:
		return setTime(data, "until", ev.Until)
	case domain.CheckAnswered:
		return setTime(data, "valid", ev.Valid)
	case domain.DataAccessed:
		if data, err = setTime(data, "from", ev.From); err != nil {
			return nil, err
		}
		return setTime(data, "to", ev.To)
	case domain.BuildVoided:
		return setSpan(data, ev.From, ev.To)
	case domain.BuildDisputed:
		return setSpan(data, ev.From, ev.To)
	}
	return data, nil
}

func setSpan(data jsontext.Value, from, to deadline.Instant) (jsontext.Value, error) {
	data, err := setTime(data, "from", from)
	if err != nil {
		return nil, err
	}
	return setTime(data, "to", to)
}

func setTime(data jsontext.Value, name string, t deadline.Instant) (jsontext.Value, error) {
	if t == 0 {
		return data, nil
	}
	var m map[string]jsontext.Value
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, err
	}
	m[name] = jsontext.Value(`"` + t.String() + `"`)
	return json.Marshal(m, json.Deterministic(true))
}
