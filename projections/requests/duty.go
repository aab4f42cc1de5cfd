package requests

import (
	"fmt"
	"math"
	"strings"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"

	"github.com/go-json-experiment/json"
)

// duty applies a fact about an obligation: its row, and those beside it that
// bind since, or do not any more.
func (b *batch) duty(e codec.Entry) error {
	list, err := b.stream(e.Stream.App, e.Stream.String(), e.Revision == 1)
	if err != nil {
		return err
	}
	var o *Obligation
	if x, opened := e.Event.(domain.ObligationOpened); opened {
		o, err = b.opened(e, x)
		list = append(list, o)
		b.streams[e.Stream.String()] = list
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
		if x == o || before[i] != (mark{x.Binding, x.Exceeds}) {
			if err := b.write(e, x); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *batch) opened(e codec.Entry, x domain.ObligationOpened) (*Obligation, error) {
	o := &Obligation{App: e.Stream.App, Stream: e.Stream.String(), ID: x.Obligation.ID}
	o.keptV1 = keptV1{
		Person: x.Cause.Subject, Kind: x.Obligation.Kind, Target: x.Obligation.Target, Rule: x.Obligation.Rule.ID, Source: x.Obligation.Rule.Source,
		Law: x.Obligation.Rule.Law, CauseKind: x.Cause.Kind, CauseStream: x.Cause.Stream,
		Opened: e.Recorded, OpenedPosition: e.Position, Days: -1,
	}
	for _, t := range x.Obligation.Types {
		o.Types = append(o.Types, t.String())
	}
	if x.Obligation.Version != (domain.Hash{}) {
		o.Version = x.Obligation.Version.String()
	}
	if x.Obligation.RuleSet != (domain.Hash{}) {
		o.RuleSet = x.Obligation.RuleSet.String()
	}
	if x.Cause.Event != (domain.EventID{}) {
		o.CauseEvent = eventstore.EventID(x.Cause.Event).String()
	}
	var err error
	if o.Due, err = b.due(e, x.Due); err != nil {
		return nil, err
	}
	if o.Test, err = b.isTest(o.App, o.Person); err != nil {
		return nil, err
	}
	o.Clock, err = b.clock(o.App, x)
	return o, err
}

// clock returns where the obligation's days are counted: in its rule's zone, by
// its rule's calendar, or else by that of the app's jurisdiction.
func (b *batch) clock(app domain.AppName, x domain.ObligationOpened) (string, error) {
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

func (b *batch) jurisdiction(app domain.AppName) (name string, err error) {
	if name, known := b.jurisdictions[app]; known {
		return name, nil
	}
	err = b.tx.Each("SELECT jurisdiction FROM apps WHERE app = ?", []any{string(app)}, func(scan func(...any) error) error { return scan(&name) })
	b.jurisdictions[app] = name
	return name, err
}

// readClock reads what clock writes.
func readClock(text string) (domain.Zone, string, error) {
	name, jurisdiction, _ := strings.Cut(text, " ")
	zone, err := domain.ParseZone(name)
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
	o.Due, o.Held = due, domain.Duty{Pauses: x.Pauses}.Held()
	m := Move{Why: x.Why.String(), Event: e.ID.String(), Recorded: e.Recorded, Was: x.Was.Date, WasUntil: x.Was.Until, Is: x.Due.Date, IsUntil: x.Due.Until}
	if x.By != (domain.EventID{}) {
		m.By = eventstore.EventID(x.By).String()
	}
	o.Moves = append(o.Moves[:len(o.Moves):len(o.Moves)], m)
	return nil
}

// due returns what to keep of a due date. When little time is left of it is said
// by the calendars that the app had then, as whoever watches it says.
func (b *batch) due(e codec.Entry, d domain.Due) (Due, error) {
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
	if x.Evidence != (domain.Hash{}) {
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
func (b *batch) stream(app domain.AppName, stream string, begins bool) ([]*Obligation, error) {
	if list, ok := b.streams[stream]; ok || begins {
		return list, nil
	}
	var list []*Obligation
	err := b.tx.Each("SELECT app, stream, id, detail FROM obligations WHERE app = ? AND stream = ? AND to_position = "+now+" ORDER BY json_extract(detail, '$.opened_position')",
		[]any{string(app), stream}, func(scan func(...any) error) error {
			o, err := readObligation(scan)
			list = append(list, o)
			return err
		})
	b.streams[stream] = list
	return list, err
}

// readObligation reads a row of app, stream, id, detail.
func readObligation(scan func(...any) error) (*Obligation, error) {
	o := new(Obligation)
	var detail []byte
	if err := scan((*string)(&o.App), &o.Stream, &o.ID, &detail); err != nil {
		return nil, err
	}
	return o, json.Unmarshal(detail, &o.keptV1, json.RejectUnknownMembers(true))
}

// write closes the row that is there and opens the next.
func (b *batch) write(e codec.Entry, o *Obligation) error {
	o.Revision++
	if o.Revision > 1 {
		query := "UPDATE obligations SET to_position = ?, to_recorded = ? WHERE app = ? AND stream = ? AND id = ? AND to_position = " + now
		if err := closeRow(b.tx, query, e, string(o.App), o.Stream, o.ID); err != nil {
			return err
		}
	}
	detail, err := json.Marshal(&o.keptV1)
	if err != nil {
		return err
	}
	zone, err := domain.ParseZone(o.Due.TimeZone)
	if err != nil {
		return err
	}
	_, err = b.tx.Exec("INSERT INTO obligations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		string(o.App), o.Stream, o.ID, int64(e.Position), int64(math.MaxInt64), int64(e.Recorded), int64(math.MaxInt64),
		o.Person, o.Test, o.CauseStream, string(o.Kind), listOf(o.Types), o.Target, string(o.Rule),
		int64(o.Opened), zone.Date(o.Opened).String()[:len("2006-01")], o.Clock,
		int(o.Due.Phase), o.Held, int(o.Due.Day), int64(o.Due.Over), int64(o.Due.Risk), o.Due.Provisional, o.Binding,
		int64(o.Settled), int(o.Outcome), o.Days, string(detail))
	return err
}

func closeRow(tx *readmodel.Tx, query string, e codec.Entry, key ...any) error {
	_, err := tx.Exec(query, append([]any{int64(e.Position), int64(e.Recorded)}, key...)...)
	return err
}

// listOf writes words so that each can be found between commas.
func listOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "," + strings.Join(words, ",") + ","
}

func wordsOf(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(strings.Trim(list, ","), ",")
}

func (b *batch) isTest(app domain.AppName, person string) (bool, error) {
	if !b.tests {
		return false, nil
	}
	var n int
	err := b.tx.Row("SELECT count(*) FROM tests WHERE app = ? AND person = ? AND ended = "+now, []any{string(app), person}, &n)
	return n > 0, err
}
