package requests

import (
	"fmt"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// duty applies a fact about an obligation: its row, and those beside it that
// bind since, or do not any more.
func (b *batch) duty(e codec.Entry) error {
	stream := e.Stream.String()
	x, opened := e.Event.(domain.ObligationOpened)
	list, err := b.stream(stream, opened && e.Revision == 1)
	if err != nil {
		return err
	}

	var o *Obligation
	if opened {
		o, err = b.opened(e, stream, x)
		list = append(list, o)
		b.streams[stream] = list
	} else {
		o, err = b.changed(e, list)
	}
	if err != nil {
		return err
	}

	o.Changed, o.Events = e.Recorded, append(o.Events[:len(o.Events):len(o.Events)], e.ID.String())
	type mark struct{ binding, exceeds bool }
	before := make([]mark, len(list))
	for i, x := range list {
		before[i] = mark{x.Binding, x.Exceeds}
	}

	rank(list)
	for i, x := range list {
		if x != o && before[i] == (mark{x.Binding, x.Exceeds}) {
			continue
		}
		if err := b.write(e, x); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) opened(e codec.Entry, stream string, x domain.ObligationOpened) (*Obligation, error) {
	kind, err := b.classOf(e, x)
	if err != nil {
		return nil, err
	}

	b.duties++
	o := &Obligation{Stream: stream, duty: b.size.duties + b.duties}
	kind.describe(o)
	o.kept = kept{
		Person:         x.Cause.Subject,
		CauseStream:    x.Cause.Stream,
		Opened:         e.Recorded,
		OpenedPosition: e.Position,
		Days:           -1,
	}
	if x.Cause.Event != (ident.EventID{}) {
		o.CauseEvent = eventstore.EventID(x.Cause.Event).String()
	}
	if o.Due, err = b.due(e, x.Due); err != nil {
		return nil, err
	}

	o.waits(x.Obligation.Rule, x.Due)
	o.Test, err = b.isTest(o.App, o.Person)
	return o, err
}

// waits keeps what a clock starts with that has not started.
func (o *Obligation) waits(r deadline.Rule, d deadline.Due) {
	if o.Waits = ""; d.State == deadline.NotStarted && !r.ID.Undated() {
		o.Waits = r.ClockStart
	}
}

// classOf returns what an obligation has in common with others, and writes it if
// it is the first that has.
func (b *batch) classOf(e codec.Entry, x domain.ObligationOpened) (*class, error) {
	clock, err := b.clock(e.Stream.App, x)
	if err != nil {
		return nil, err
	}

	zone, err := deadline.ParseZone(x.Due.TimeZone)
	if err != nil {
		return nil, err
	}

	var names []string
	for _, t := range x.Obligation.Types {
		names = append(names, t.String())
	}

	var kept []string
	for _, id := range x.Obligation.Keeps {
		kept = append(kept, string(id))
	}

	c := common{
		app:       e.Stream.App,
		id:        x.Obligation.ID,
		kind:      x.Obligation.Kind,
		types:     listOf(names),
		target:    x.Obligation.Target,
		rule:      x.Obligation.Rule.ID,
		source:    x.Obligation.Rule.Source,
		law:       x.Obligation.Rule.Law,
		keeps:     listOf(kept),
		causeKind: x.Cause.Kind,
		clock:     clock,
		month:     zone.Date(e.Recorded).String()[:len("2006-01")],
	}
	if x.Obligation.Version != (content.Hash{}) {
		c.version = x.Obligation.Version.String()
	}
	if x.Obligation.RuleSet != (content.Hash{}) {
		c.ruleSet = x.Obligation.RuleSet.String()
	}
	if s := b.view.classes.find(c); s != nil {
		return s, nil
	}

	for _, s := range b.classes {
		if s.common == c {
			return s, nil
		}
	}

	s := &class{b.size.classes + int64(len(b.classes)) + 1, c}
	b.classes = append(b.classes, s)
	_, err = b.tx.Exec("INSERT INTO sorts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", s.number,
		string(c.app), c.id, string(c.kind), c.types, c.target,
		string(c.rule), c.source, c.law, c.version, c.ruleSet, c.keeps, c.causeKind, c.clock, c.month)
	return s, err
}

// clock returns where the obligation's days are counted: in its rule's zone, by
// its rule's calendar, or else by that of the app's jurisdiction.
func (b *batch) clock(app ident.AppName, x domain.ObligationOpened) (string, error) {
	jurisdiction := x.Obligation.Rule.Calendar
	if jurisdiction == "" {
		var err error
		if jurisdiction, err = b.jurisdiction(app); err != nil {
			return "", err
		}
	}

	name := x.Due.TimeZone + " " + jurisdiction
	if b.clocks[appClock{app, name}] {
		return name, nil
	}

	_, err := b.tx.Exec("INSERT INTO clocks VALUES (?, ?) ON CONFLICT DO NOTHING", string(app), name)
	b.clocks[appClock{app, name}] = err == nil
	return name, err
}

func (b *batch) jurisdiction(app ident.AppName) (name string, err error) {
	if name, known := b.jurisdictions[app]; known {
		return name, nil
	}
	err = b.tx.Each("SELECT jurisdiction FROM apps WHERE app = ?", []any{string(app)},
		func(scan func(...any) error) error { return scan(&name) })
	b.jurisdictions[app] = name
	return name, err
}

// readClock reads what clock writes.
func readClock(text string) (deadline.Zone, string, error) {
	name, jurisdiction, _ := strings.Cut(text, " ")
	zone, err := deadline.ParseZone(name)
	return zone, jurisdiction, err
}

// changed applies a fact about an obligation that was opened before.
func (b *batch) changed(e codec.Entry, list []*Obligation) (*Obligation, error) {
	switch x := e.Event.(type) {
	case domain.ObligationMoved:
		o, err := find(list, x.ID)
		if err != nil {
			return nil, err
		}
		return o, b.move(o, e, x)
	case domain.ObligationMet:
		o, err := find(list, x.ID)
		if err != nil {
			return nil, err
		}
		return o, b.met(o, e, x)
	case domain.ObligationVoided:
		o, err := find(list, x.ID)
		if err == nil {
			o.Outcome, o.Reason = StateVoid, x.Reason
			o.Settled, o.SettledPosition = e.Recorded, e.Position
		}
		return o, err
	case domain.ObligationAtRisk:
		o, err := find(list, x.ID)
		if err == nil {
			o.AtRisk = e.Recorded
		}
		return o, err
	case domain.ObligationOverdue:
		o, err := find(list, x.ID)
		if err == nil {
			o.Overdue = e.Recorded
		}
		return o, err
	}
	return nil, fmt.Errorf("event %T has no case in requests", e.Event)
}

func find(list []*Obligation, id string) (*Obligation, error) {
	for _, o := range list {
		if o.ID == id {
			return o, nil
		}
	}
	return nil, fmt.Errorf("obligation %s was never opened in its stream", id)
}

func (b *batch) move(o *Obligation, e codec.Entry, x domain.ObligationMoved) error {
	due, err := b.due(e, x.Due)
	if err != nil {
		return err
	}

	o.Due, o.Held, o.Stands = due, obligation.Duty{Pauses: x.Pauses}.Held(), nil
	o.StandsSince = 0
	if due.Phase != deadline.NotStarted {
		o.Waits = ""
	}
	if due.Phase == deadline.Suspended {
		o.Stands, o.StandsSince = unended(x.Pauses), standsSince(x.Pauses)
	}

	m := Move{
		Why:      x.Why.String(),
		Event:    e.ID.String(),
		Recorded: e.Recorded,
		Was:      x.Was.Date,
		WasUntil: x.Was.Until,
		Is:       x.Due.Date,
		IsUntil:  x.Due.Until,
	}
	if x.By != (ident.EventID{}) {
		m.By = eventstore.EventID(x.By).String()
	}

	o.Moves = append(o.Moves[:len(o.Moves):len(o.Moves)], m)
	b.moves = append(b.moves, move{o, len(o.Moves), m})
	return nil
}

// unended returns the reasons of the pauses that have not ended.
func unended(pauses []deadline.Pause) (reasons []string) {
	for _, p := range pauses {
		if p.To == 0 && !slices.Contains(reasons, p.Reason) {
			reasons = append(reasons, p.Reason)
		}
	}
	return reasons
}

// standsSince returns since when a clock stands still: since the first of the pauses that
// have not ended, or since an earlier one that ended only after that one had begun.
func standsSince(pauses []deadline.Pause) (since deadline.Instant) {
	for _, p := range pauses {
		if p.To == 0 && (since == 0 || p.From < since) {
			since = p.From
		}
	}

	// Each pause that is joined may be joined by one that began earlier still.
	for joined := true; joined; {
		joined = false
		for _, p := range pauses {
			if p.From < since && since <= p.To {
				since, joined = p.From, true
			}
		}
	}
	return since
}

// due returns what to keep of a due date. When little time is left of it is said
// by the calendars that the app had then, as whoever watches it says.
func (b *batch) due(e codec.Entry, d deadline.Due) (Due, error) {
	kept, err := dueOf(d)
	if kept.Risk = d.RiskAt(b.view.calendars.own(e.Stream.App, e.Position)); kept.Risk == 0 {
		kept.Risk = Never
	}
	return kept, err
}

// met closes an obligation. How many working days it took is said by the
// calendars that were known when it was met, and stays so.
func (b *batch) met(o *Obligation, e codec.Entry, x domain.ObligationMet) error {
	o.Outcome, o.Met, o.Claimed, o.MetBy = StateMet, x.Met, e.At, x.By.Kind
	if x.Late {
		o.Outcome = StateMetLate
	}
	if e.Claimed != 0 {
		o.Claimed = e.Claimed
	}
	if x.Evidence != (content.Hash{}) {
		o.Evidence = x.Evidence.String()
	}

	o.Settled, o.SettledPosition = min(x.Met, e.Recorded), e.Position
	if o.Due.DayZero == 0 {
		return nil
	}

	zone, jurisdiction, err := readClock(o.Clock)
	if err != nil {
		return err
	}

	days := b.view.calendars.at(o.App, e.Position).Workdays(jurisdiction)
	o.Days = max(0, days.Between(o.Due.DayZero, zone.Date(x.Met)))
	return nil
}

// stream returns the obligations of a stream as they are now, in the order of
// their opening. For one that has just begun nothing is looked for.
func (b *batch) stream(stream string, begins bool) ([]*Obligation, error) {
	if list, ok := b.streams[stream]; ok || begins {
		return list, nil
	}
	list, err := b.view.find(b.tx, byNewest, "d.stream = ?", stream)
	b.streams[stream] = list
	return list, err
}

// concerns returns the stream of the request or incident that shows the
// obligation; empty: of none.
func (o *Obligation) concerns() string {
	for _, stream := range []string{o.Stream, o.CauseStream} {
		if noun, _, _ := strings.Cut(stream, "-"); noun == string(ident.RequestNoun) ||
			noun == string(ident.IncidentNoun) {
			return stream
		}
	}
	return ""
}

func (b *batch) isTest(app ident.AppName, person string) (bool, error) {
	if !b.tests {
		return false, nil
	}
	var n int
	err := b.tx.Row("SELECT count(*) FROM tests WHERE app = ? AND person = ? AND ended = "+now,
		[]any{string(app), person}, &n)
	return n > 0, err
}
