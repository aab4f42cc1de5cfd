package requests

import "consentledger/eventstore/codec/jsonwrite"

// appendTo writes k as reflection would; a test holds it to that.
func (k *keptV1) appendTo(b []byte) ([]byte, error) {
	t := jsonwrite.Text{B: append(b, '{')}
	t.Textz("person", k.Person)
	t.Flagz("test", k.Test)
	t.Textz("cause_event", k.CauseEvent)
	t.Textz("cause_stream", k.CauseStream)
	t.Int("opened", int64(k.Opened))
	t.Int("opened_position", int64(k.OpenedPosition))
	t.Object("due", k.Due.members)
	t.Flagz("held", k.Held)
	t.Textz("waits", k.Waits)
	jsonwrite.Listz(&t, "stands", k.Stands)
	if len(k.Moves) > 0 {
		jsonwrite.Objects(&t, "moves", k.Moves, func(t *jsonwrite.Text, m *Move) { m.members(t) })
	}
	t.Flagz("binding", k.Binding)
	t.Flagz("exceeds", k.Exceeds)
	t.Intz("outcome", int64(k.Outcome))
	t.Intz("settled", int64(k.Settled))
	t.Intz("settled_position", int64(k.SettledPosition))
	t.Intz("met", int64(k.Met))
	t.Intz("claimed", int64(k.Claimed))
	t.Textz("met_by", k.MetBy)
	t.Textz("evidence", k.Evidence)
	t.Textz("reason", k.Reason)
	t.Int("days", int64(k.Days))
	t.Intz("at_risk", int64(k.AtRisk))
	t.Intz("overdue", int64(k.Overdue))
	t.Int("changed", int64(k.Changed))
	jsonwrite.Listz(&t, "events", k.Events)
	t.Int("revision", int64(k.Revision))
	return append(t.B, '}'), t.Err
}

func (d *Due) members(t *jsonwrite.Text) {
	t.Intz("phase", int64(d.Phase))
	t.Intz("start", int64(d.Start))
	t.Intz("day_zero", int64(d.DayZero))
	t.Intz("date", int64(d.Date))
	t.Intz("day", int64(d.Day))
	t.Intz("until", int64(d.Until))
	t.Int("over", int64(d.Over))
	t.Int("risk", int64(d.Risk))
	t.Text("unit", d.Unit)
	t.Text("time_zone", d.TimeZone)
	t.Flagz("provisional", d.Provisional)
	t.Intz("gap", int64(d.Gap))
	t.Intz("safe", int64(d.Safe))
	t.Flagz("tail_exposed", d.TailExposed)
	t.Flagz("extended", d.Extended)
	t.Intz("elapsed", d.Elapsed)
	t.Intz("remaining", d.Remaining)
	t.Textz("counted", d.Counted)
	jsonwrite.Listz(t, "calendars", d.Calendars)
}

func (m *Move) members(t *jsonwrite.Text) {
	t.Text("why", m.Why)
	t.Textz("by", m.By)
	t.Text("event", m.Event)
	t.Int("recorded", int64(m.Recorded))
	t.Intz("was", int64(m.Was))
	t.Intz("was_until", int64(m.WasUntil))
	t.Intz("is", int64(m.Is))
	t.Intz("is_until", int64(m.IsUntil))
}
