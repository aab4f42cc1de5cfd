package requests

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"

	"github.com/go-json-experiment/json"
)

// The columns of duties and of duty_rows in their order, but for the numbers and the
// positions. [Obligation.opening] and [Obligation.columns] are what stands in them,
// for whoever writes and for whoever reads.
const (
	openingColumns = "d.stream, d.person, d.cause_event, d.cause_stream, d.opened, d.opened_position"
	rowColumns     = "r.test, r.revision, r.changed, r.events, " +
		"r.phase, r.start, r.day_zero, r.date, r.day, r.until, r.over, r.risk, r.unit, r.time_zone, " +
		"r.provisional, r.gap, r.safe, r.tail_exposed, r.extended, r.elapsed, r.remaining, r.counted, r.calendars, " +
		"r.held, r.waits, r.stands, r.stands_since, r.moves, r.binding, r.exceeds, " +
		"r.outcome, r.settled, r.settled_position, r.met, r.claimed, r.met_by, r.evidence, r.reason, r.days, " +
		"r.at_risk, r.overdue"
)

func (o *Obligation) opening() []any {
	return []any{&o.Stream, &o.Person, &o.CauseEvent, &o.CauseStream, &o.Opened, &o.OpenedPosition}
}

func (o *Obligation) columns() []any {
	d := &o.Due
	return []any{
		&o.Test, &o.Revision, &o.Changed, (*ids)(&o.Events),
		(*phase)(&d.Phase), &d.Start, &d.DayZero, &d.Date, &d.Day, &d.Until, &d.Over, &d.Risk, &d.Unit, &d.TimeZone,
		&d.Provisional, &d.Gap, &d.Safe, &d.TailExposed, &d.Extended, &d.Elapsed, &d.Remaining, &d.Counted,
		(*words)(&d.Calendars),
		&o.Held, &o.Waits, (*words)(&o.Stands), &o.StandsSince, (*count)(&o.Moves), &o.Binding, &o.Exceeds,
		(*outcome)(&o.Outcome), &o.Settled, &o.SettledPosition, &o.Met, &o.Claimed, &o.MetBy, &o.Evidence, &o.Reason,
		&o.Days, &o.AtRisk, &o.Overdue,
	}
}

// The rows of obligations, whether found by the row or by the obligation.
const (
	byRow    = "duty_rows r CROSS JOIN duties d ON d.number = r.duty"
	byDuty   = "duties d CROSS JOIN duty_rows r ON r.duty = d.number"
	byNewest = "duties d CROSS JOIN duty_rows r ON r.number = d.newest"
)

// find reads the rows of obligations that a condition on d, of duties, and r, of
// duty_rows, lets through, in the order in which the obligations were opened.
func (v *View) find(tx *readmodel.Tx, from, where string, args ...any) (list []*Obligation, err error) {
	classes := v.classes.all()
	err = tx.Each("SELECT d.number, d.sort, r.number, r.from_position, d.in_group, "+openingColumns+", "+rowColumns+
		" FROM "+from+" WHERE "+where+" ORDER BY d.number", args, func(scan func(...any) error) error {
		o, of := new(Obligation), int64(0)
		err := scan(slices.Concat([]any{&o.duty, &of, &o.row, &o.from, &o.counted.group}, o.opening(), o.columns())...)
		if err != nil {
			return err
		}
		kind, err := classAt(classes, of)
		if err != nil {
			return err
		}
		kind.describe(o)
		o.counted.days = o.Days // of the newest row, which alone is counted
		list = append(list, o)
		return nil
	})
	for _, o := range list {
		if err == nil && len(o.Moves) > 0 {
			err = o.readMoves(tx)
		}
	}
	return list, err
}

// readMoves reads the moves of which only the number is known.
func (o *Obligation) readMoves(tx *readmodel.Tx) error {
	return tx.Each("SELECT place, why, calendar_event, event, recorded, was, was_until, became, became_until FROM "+
		"duty_moves WHERE duty = ? AND place <= ?",
		[]any{o.duty, len(o.Moves)}, func(scan func(...any) error) error {
			var place int
			var m Move
			err := scan(&place, &m.Why, &m.By, &m.Event, &m.Recorded, &m.Was, &m.WasUntil, &m.Is, &m.IsUntil)
			if err == nil {
				o.Moves[place-1] = m
			}
			return err
		})
}

// write adds a row of an obligation, which ends the one before it.
func (b *batch) write(e codec.Entry, o *Obligation) error {
	if err := b.count(e, o); err != nil {
		return err
	}

	o.Revision++
	if last := o.row - b.size.rows; last > 0 {
		b.lines[last-1].to = e.Position
	} else if o.row > 0 {
		b.ended = append(b.ended, ending{o.row, o.from, e.Position})
	}
	o.row, o.from = b.size.rows+int64(len(b.lines))+1, e.Position
	b.lines = append(b.lines, &line{*o, forever})
	return nil
}

// A line is a row to write, and where it ends.
type line struct {
	Obligation
	to eventstore.Position
}

// An ending is a row of the file that ends.
type ending struct {
	row      int64
	from, to eventstore.Position
}

// forever is where a row ends that is the newest of its obligation.
const forever eventstore.Position = 1<<64 - 1

// flush writes what was gathered.
func (b *batch) flush() error {
	r := &b.view.rows
	defer r.forget()
	for _, x := range b.ended {
		_, err := b.tx.Exec("UPDATE duty_rows SET to_position = ?, fork = ? WHERE number = ?", int64(x.to),
			fork(x.from, x.to), x.row)
		if err != nil {
			return err
		}
	}

	for _, n := range b.lines {
		if n.to == forever {
			d := &n.Due
			r.duties.Add(n.duty, n.of.number, &n.Stream, n.concerns(), &n.Person, &n.CauseEvent, &n.CauseStream,
				&n.Opened, &n.OpenedPosition,
				n.row, n.counted.group, int64(n.from), &d.Over, &d.Risk, &d.Day, &n.Settled, &n.Days)
		}
		r.rows.Add(n.row, n.duty, int64(n.from), until(n.to), fork(n.from, n.to))
		r.rows.Add(n.columns()...)
	}

	for _, m := range b.moves {
		r.moves.Add(m.of.duty, m.place, m.Why, m.By, m.Event, int64(m.Recorded), int64(m.Was), int64(m.WasUntil),
			int64(m.Is), int64(m.IsUntil))
	}

	for _, rows := range []*readmodel.Rows{&r.duties, &r.rows, &r.moves} {
		if err := rows.Write(b.tx); err != nil {
			return err
		}
	}
	return b.writeGroups()
}

// A written is what a batch writes many rows of.
type written struct{ duties, rows, moves, groups, counts readmodel.Rows }

func newWritten() written {
	return written{
		duties: readmodel.RowsOf("INSERT INTO duties", 17, " ON CONFLICT (number) DO UPDATE SET newest = excluded.newest, "+
			"in_group = excluded.in_group, from_position = excluded.from_position, over = excluded.over, "+
			"risk = excluded.risk, day = excluded.day, settled = excluded.settled, days = excluded.days"),
		rows:   readmodel.RowsOf("INSERT INTO duty_rows", 46, ""),
		moves:  readmodel.RowsOf("INSERT INTO duty_moves", 10, ""),
		groups: writtenGroups(),
		counts: readmodel.RowsOf("INSERT INTO duty_counts", 3,
			" ON CONFLICT (in_group, days) DO UPDATE SET n = duty_counts.n + excluded.n"),
	}
}

func (w *written) forget() {
	for _, rows := range []*readmodel.Rows{&w.duties, &w.rows, &w.moves, &w.groups, &w.counts} {
		rows.Forget()
	}
}

// until returns the to_position of what ends at a position.
func until(p eventstore.Position) int64 {
	if p == forever {
		return 1<<63 - 1
	}
	return int64(p)
}

// A phase stands in its column as a word.
type phase deadline.DueState

func (p phase) Value() (driver.Value, error) { return deadline.DueState(p).String(), nil }

func (p *phase) Scan(src any) (err error) {
	*(*deadline.DueState)(p), err = deadline.ParseDueState(textOf(src))
	return err
}

// An outcome stands in its column as a word; none as the empty one.
type outcome State

func (o outcome) Value() (driver.Value, error) { return State(o).String(), nil }

func (o *outcome) Scan(src any) (err error) {
	if text := textOf(src); text != "" {
		*(*State)(o), err = ParseState(text)
	}
	return err
}

// words stand in a column in commas, see [listOf].
type words []string

func (w words) Value() (driver.Value, error) { return listOf(w), nil }

func (w *words) Scan(src any) error {
	*w = wordsOf(textOf(src))
	return nil
}

// purposes stand in a column as words do.
type purposes []policy.PurposeID

func (p purposes) Value() (driver.Value, error) {
	var list []string
	for _, id := range p {
		list = append(list, string(id))
	}
	return listOf(list), nil
}

func (p *purposes) Scan(src any) error {
	for _, id := range wordsOf(textOf(src)) {
		*p = append(*p, policy.PurposeID(id))
	}
	return nil
}

// fields stand in a column as a JSON object; none as nothing.
type fields []policy.Field

func (list fields) Value() (driver.Value, error) {
	if len(list) == 0 {
		return "", nil
	}
	object := map[string]string{}
	for _, f := range list {
		object[f.Name] = f.Value
	}
	text, err := json.Marshal(object, json.Deterministic(true))
	return string(text), err
}

func (list *fields) Scan(src any) error {
	text := textOf(src)
	if text == "" {
		return nil
	}
	var object map[string]string
	err := json.Unmarshal([]byte(text), &object)
	*list = policy.Fields(object)
	return err
}

// ids are of events, of 16 bytes each.
type ids []string

func (list ids) Value() (driver.Value, error) {
	b := make([]byte, 0, 16*len(list))
	for _, text := range list {
		id, err := eventstore.ParseEventID(text)
		if err != nil {
			return nil, err
		}
		b = append(b, id[:]...)
	}
	return b, nil
}

func (list *ids) Scan(src any) error {
	for id := range slices.Chunk([]byte(textOf(src)), 16) {
		if len(id) < 16 {
			return fmt.Errorf("the id of an event has %d bytes, want 16", len(id))
		}
		*list = append(*list, eventstore.EventID(id).String())
	}
	return nil
}

// A count stands for moves, which have a table of their own.
type count []Move

func (c count) Value() (driver.Value, error) { return int64(len(c)), nil }

func (c *count) Scan(src any) error {
	n, ok := src.(int64)
	if !ok || n < 0 || n > 1<<16 {
		return fmt.Errorf("an obligation was moved %v times", src)
	}
	*c = make([]Move, n)
	return nil
}

func textOf(src any) string {
	switch s := src.(type) {
	case string:
		return s
	case []byte:
		return string(s)
	}
	return ""
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
