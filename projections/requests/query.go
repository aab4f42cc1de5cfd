package requests

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

type ctx = context.Context

// A Known says which facts count: those up to a position. The zero Known is
// all that were applied.
type Known struct {
	Past bool
	At   eventstore.Position
}

// ErrAhead says that a position was asked about that is not applied yet.
var ErrAhead = errors.New("the projection requests is not as far as that position yet")

func (k Known) position(checkpoint eventstore.Position) (eventstore.Position, error) {
	switch {
	case !k.Past:
		return checkpoint, nil
	case k.At > checkpoint:
		return 0, ErrAhead
	}
	return k.At, nil
}

// A Sort is the order of a report. Equal ones are in the order of streams and
// ids.
type Sort string

const (
	ByDue    Sort = "due" // those that have no due date last
	ByOpened Sort = "opened"
	ByState  Sort = "state" // of each state by due date
)

// A Query asks for obligations. Zero fields let all through. At is the moment
// at which they are judged; those opened later are left out.
type Query struct {
	App         domain.AppName
	At          domain.Instant
	Known       Known
	States      []State
	Kind        domain.DutyKind
	Type        string
	Rule        domain.DeadlineRuleID
	Stream      string
	ID          string // within the stream
	Person      string // a pseudonym
	Provisional Choice
	Before      domain.Date // due before that day, in the rule's place
	After       domain.Date // due after that day
	Binding     bool        // only those that bind

	Since      domain.Instant      // leaves out what was settled before; zero: nothing
	SinceSteps eventstore.Position // of a summary's rejections and fees: those after it

	Sort  Sort // empty: ByDue
	From  Place
	Limit int // zero: all
}

// A Choice lets through what has something, what has not, or both.
type Choice int

const (
	Either Choice = iota
	Yes
	No
)

// A Place is where a page ended: the next begins after it. The zero Place is
// before the first.
type Place struct {
	State  State  `json:"s,omitzero"` // of reports by state
	Key    int64  `json:"k"`
	Stream string `json:"t"`
	ID     string `json:"i"`
}

// place returns where o stands in the order of a report.
func (s Sort) place(o *Obligation) Place {
	p := Place{Key: int64(o.Due.Over), Stream: o.Stream, ID: o.ID}
	switch s {
	case ByOpened:
		p.Key = int64(o.Opened)
	case ByState:
		p.State = o.State
	}
	return p
}

// A statement is a query in the making.
type statement struct {
	text strings.Builder
	args []any
}

func (s *statement) add(text string, args ...any) {
	s.text.WriteString(text)
	s.args = append(s.args, args...)
}

// A reading is a query on one snapshot.
type reading struct {
	Query
	tx     *readmodel.Tx
	asOf   eventstore.Position
	latest bool // no fact is left out, and none is later than At
	clocks []clock
}

// A clock is a place whose days are counted, at the moment that is asked about.
type clock struct {
	name  string
	today domain.Date
	days  *domain.Workdays
}

// read runs do on a snapshot.
func (v *View) read(ctx ctx, q Query, do func(*reading) error) (asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		r, err := v.reading(tx, q, position)
		if err != nil {
			return err
		}
		asOf = r.asOf
		return do(r)
	})
	return asOf, err
}

func (v *View) reading(tx *readmodel.Tx, q Query, position eventstore.Position) (*reading, error) {
	r := &reading{Query: q, tx: tx}
	var err error
	if r.asOf, err = q.Known.position(position); err != nil {
		return nil, err
	}
	var newest int64
	if err := tx.Row("SELECT recorded FROM newest", nil, &newest); err != nil {
		return nil, err
	}
	r.latest = r.asOf == position && q.At >= domain.Instant(newest)
	calendars := v.calendars.at(q.App, r.asOf)
	err = tx.Each("SELECT clock FROM clocks WHERE app = ? ORDER BY clock", []any{string(q.App)}, func(scan func(...any) error) error {
		c := clock{}
		if err := scan(&c.name); err != nil {
			return err
		}
		zone, jurisdiction, err := readClock(c.name)
		if err != nil {
			return err
		}
		c.today, c.days = zone.Date(q.At), calendars.Workdays(jurisdiction)
		r.clocks = append(r.clocks, c)
		return nil
	})
	return r, err
}

// known lets through the rows that were there as of the reading.
func (r *reading) known(s *statement) {
	s.add(" WHERE app = ?", string(r.App))
	if r.latest {
		s.add(" AND to_position = " + now)
		return
	}
	s.add(" AND from_position <= ? AND to_position > ? AND opened <= ?", int64(r.asOf), int64(r.asOf), int64(r.At))
}

// state writes what an obligation's state is, as a number.
func (r *reading) state(s *statement) {
	s.add("CASE WHEN settled <> 0 AND settled <= ? THEN outcome", int64(r.At))
	s.add(fmt.Sprintf(" WHEN phase = %d THEN %d", domain.NotStarted, StateNotStarted))
	s.add(fmt.Sprintf(" WHEN phase = %d THEN CASE WHEN held = 1 THEN %d ELSE %d END", domain.Suspended, StateHeld, StatePaused))
	s.add(" WHEN kind = ? THEN "+fmt.Sprint(int(StateOpen)), string(domain.DutyKeep)) // it is done when its date has come, and never late
	s.add(fmt.Sprintf(" WHEN over <= ? THEN %d WHEN risk <= ? THEN %d", StateOverdue, StateAtRisk), int64(r.At), int64(r.At))
	s.add(fmt.Sprintf(" ELSE %d END", StateOpen))
}

// filter lets through what the query asks for; state writes what the state is.
func (r *reading) filter(s *statement, state func(*statement)) {
	s.add(" AND test = 0")
	if len(r.States) > 0 {
		s.add(" AND (")
		state(s)
		s.add(") IN (")
		for i, x := range r.States {
			s.add(map[bool]string{true: "?", false: ", ?"}[i == 0], int64(x))
		}
		s.add(")")
	}
	for _, c := range []struct{ column, want string }{{"kind", string(r.Kind)}, {"rule", string(r.Rule)}, {"person", r.Person}, {"stream", r.Stream}, {"id", r.ID}} {
		if c.want != "" {
			s.add(" AND "+c.column+" = ?", c.want)
		}
	}
	if r.Type != "" {
		s.add(" AND instr(types, ?) > 0", ","+r.Type+",")
	}
	if r.Provisional != Either {
		s.add(" AND provisional = ?", r.Provisional == Yes)
	}
	if r.Before != 0 {
		s.add(" AND day <> 0 AND day < ?", int64(r.Before))
	}
	if r.After != 0 {
		s.add(" AND day > ?", int64(r.After))
	}
	if r.Binding {
		s.add(" AND binding = 1")
	}
	if r.Since != 0 {
		s.add(" AND (settled = 0 OR settled >= ?)", int64(r.Since))
	}
}

// Each calls do for every obligation that q asks for, in q's order, and returns
// the position that the answer is as of.
func (v *View) Each(ctx ctx, q Query, do func(Obligation) error) (eventstore.Position, error) {
	return v.read(ctx, q, func(r *reading) error { return r.each(do) })
}

// Page returns at most q.Limit obligations, and from where to ask for more: the
// zero Place if there are no more.
func (v *View) Page(ctx ctx, q Query) (list []Obligation, next Place, asOf eventstore.Position, err error) {
	asOf, err = v.read(ctx, q, func(r *reading) error {
		list, next, err = r.page()
		return err
	})
	return list, next, asOf, err
}

func (r *reading) page() (list []Obligation, next Place, err error) {
	limit := r.Limit
	r.Limit++
	err = r.each(func(o Obligation) error {
		if len(list) == limit {
			next = r.Sort.place(&list[limit-1])
			return nil
		}
		list = append(list, o)
		return nil
	})
	return list, next, err
}

// each reads in the query's order. By state it reads one state after another,
// each by due date, as no index can know what time makes of an obligation.
func (r *reading) each(do func(Obligation) error) error {
	if r.Sort != ByState {
		_, err := r.run(do)
		return err
	}
	wanted, left := r.States, r.Limit
	for s := max(StateOverdue, r.From.State); s <= StateVoid; s++ {
		if !wants(wanted, s) {
			continue
		}
		part := *r
		part.States, part.Limit = []State{s}, left
		if s != r.From.State {
			part.From = Place{}
		}
		n, err := part.run(do)
		if err != nil {
			return err
		}
		if left -= n; r.Limit > 0 && left <= 0 {
			return nil
		}
	}
	return nil
}

func wants(states []State, s State) bool {
	if len(states) == 0 {
		return true
	}
	for _, x := range states {
		if x == s {
			return true
		}
	}
	return false
}

// run reads obligations by one column, and returns how many.
func (r *reading) run(do func(Obligation) error) (n int, err error) {
	key := "over"
	if r.Sort == ByOpened {
		key = "opened"
	}
	var s statement
	s.add("SELECT app, stream, id, detail, ")
	r.state(&s)
	s.add(" FROM obligations")
	r.known(&s)
	if r.latest && onlyUnsettled(r.States) {
		s.add(" AND settled = 0")
	}
	r.filter(&s, r.state)
	if r.From.Stream != "" {
		s.add(" AND ("+key+", stream, id) > (?, ?, ?)", r.From.Key, r.From.Stream, r.From.ID)
	}
	s.add(" ORDER BY " + key + ", stream, id")
	if r.Limit > 0 {
		s.add(" LIMIT ?", r.Limit)
	}
	err = r.tx.Each(s.text.String(), s.args, func(scan func(...any) error) error {
		var state int
		o, err := readObligation(scan, &state)
		if err != nil {
			return err
		}
		r.judge(o, State(state))
		n++
		return do(*o)
	})
	return n, err
}

// onlyUnsettled reports whether all of the states are of what is still owed.
func onlyUnsettled(states []State) bool {
	for _, s := range states {
		if s > StateNotStarted {
			return false
		}
	}
	return len(states) > 0
}

// judge says how an obligation stands at the moment of the reading.
func (r *reading) judge(o *Obligation, s State) {
	o.State = s
	if s > StateOpen {
		return
	}
	for _, c := range r.clocks {
		if c.name == o.Clock && o.Due.Day != 0 {
			o.Left, o.Counts = c.days.Between(c.today, o.Due.Day), true
		}
	}
}

// dutiesOf returns the obligations of a stream, and those that follow from it,
// of tests too.
func (v *View) dutiesOf(tx *readmodel.Tx, of domain.StreamID, asOf eventstore.Position, at domain.Instant) (list []Obligation, err error) {
	r, err := v.reading(tx, Query{App: of.App, At: at, Known: Known{true, asOf}}, asOf)
	if err != nil {
		return nil, err
	}
	r.latest = false
	for _, column := range []string{"stream", "cause_stream"} {
		var s statement
		s.add("SELECT app, stream, id, detail, ")
		r.state(&s)
		s.add(" FROM obligations")
		r.known(&s)
		s.add(" AND "+column+" = ? ORDER BY json_extract(detail, '$.opened_position')", of.String())
		err := tx.Each(s.text.String(), s.args, func(scan func(...any) error) error {
			var state int
			o, err := readObligation(scan, &state)
			if err == nil {
				r.judge(o, State(state))
				list = append(list, *o)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}
