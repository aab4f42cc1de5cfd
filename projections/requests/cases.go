package requests

import (
	"fmt"
	"strings"

	"consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"
)

// A Case is a request or an incident as it stands.
type Case struct {
	App  ident.AppName
	Noun ident.Noun
	ID   string

	Begun         eventstore.Position
	Person        string // a pseudonym
	Test          bool
	Types         []string
	Policy        string
	Version       string
	Channel       string
	Authenticated bool
	Purposes      []policy.PurposeID
	Unpromised    []string // types for which the policy promises no date
	Document      string
	Cause         string // the withdrawal that came with it
	At            deadline.Instant
	Recorded      deadline.Instant
	Event         string
	State         string // open, or the last word of what closed it
	Closed        deadline.Instant
	Marks         []string
	Done          []string // the types that have their answer
	Changed       deadline.Instant
}

// A Step is one step of a case.
type Step struct {
	Position   eventstore.Position
	Event      string
	Kind       string
	At         deadline.Instant
	Recorded   deadline.Instant
	Actor      string
	RecordedBy string
	Fields     []policy.Field // sorted by name
	Evidence   string
	Details    bool // there is a text of the person's, sealed
}

// The columns of cases and of steps that [Case.columns] and [Step.columns] are what
// stands in.
const (
	caseColumns = "app, noun, id, begun, person, test, types, policy, version, channel, authenticated, purposes, " +
		"unpromised, document, cause, at, recorded, event, state, closed, marks, done, changed"
	stepColumns = "position, kind, event, at, recorded, actor, recorded_by, fields, evidence, details"
)

var (
	insertCase = "INSERT INTO cases (from_position, to_position, " + caseColumns + ") VALUES (?, " + now +
		strings.Repeat(", ?", 23) + ")"
	insertStep = "INSERT INTO steps (app, noun, id, person, amount, codes, " + stepColumns + ") VALUES (?" +
		strings.Repeat(", ?", 15) + ")"
)

func (c *Case) columns() []any {
	return []any{
		&c.App, &c.Noun, &c.ID, &c.Begun, &c.Person, &c.Test, (*words)(&c.Types), &c.Policy, &c.Version, &c.Channel,
		&c.Authenticated, (*purposes)(&c.Purposes), (*words)(&c.Unpromised),
		&c.Document, &c.Cause, &c.At, &c.Recorded, &c.Event, &c.State, &c.Closed, (*words)(&c.Marks), (*words)(&c.Done),
		&c.Changed,
	}
}

func (s *Step) columns() []any {
	return []any{&s.Position, &s.Kind, &s.Event, &s.At, &s.Recorded, &s.Actor, &s.RecordedBy, (*fields)(&s.Fields),
		&s.Evidence, &s.Details}
}

func (b *batch) receive(e codec.Entry, x domain.RequestReceived) error {
	c := &Case{
		App:           e.Stream.App,
		Noun:          e.Stream.Noun,
		ID:            e.Stream.ID,
		Begun:         e.Position,
		Person:        x.Subject,
		Policy:        x.Policy,
		Version:       x.Version.String(),
		Channel:       string(x.Channel),
		Authenticated: x.Authenticated,
		Purposes:      x.Purposes,
		At:            e.At,
		Recorded:      e.Recorded,
		Event:         e.ID.String(),
		State:         "open",
	}
	for _, t := range x.Types {
		c.Types = append(c.Types, t.String())
	}

	for _, t := range x.Unpromised {
		c.Unpromised = append(c.Unpromised, t.String())
	}
	if x.Document != (content.Hash{}) {
		c.Document = x.Document.String()
	}
	if x.Cause != (ident.EventID{}) {
		c.Cause = eventstore.EventID(x.Cause).String()
	}

	var err error
	if c.Test, err = b.isTest(c.App, c.Person); err != nil {
		return err
	}

	fact := e.Fact()
	fact.Event = x
	c.Marks = cases.Request{}.Evolve(fact).Marks.Names()
	return b.writeCase(e, c)
}

func (b *batch) step(e codec.Entry, x domain.Stepped) error {
	c, err := b.findCase(e.Stream)
	switch {
	case err != nil:
		return err
	case c == nil && e.Stream.Noun != ident.IncidentNoun:
		return fmt.Errorf("a step of %s, which was never received", e.Stream.Noun)
	case c == nil:
		c = &Case{
			App:      e.Stream.App,
			Noun:     e.Stream.Noun,
			ID:       e.Stream.ID,
			Begun:    e.Position,
			At:       e.At,
			Recorded: e.Recorded,
			Event:    e.ID.String(),
		}
	}
	if err := b.writeStep(e, x, c); err != nil {
		return err
	}

	if c.Noun == ident.IncidentNoun {
		err = b.foldIncident(e, c)
	} else {
		err = b.foldRequest(e, x, c)
	}
	if err != nil {
		return err
	}
	return b.writeCase(e, c)
}

func (b *batch) writeStep(e codec.Entry, x domain.Stepped, c *Case) error {
	s := Step{
		Position:   e.Position,
		Event:      e.ID.String(),
		Kind:       string(x.Kind),
		At:         e.At,
		Recorded:   e.Recorded,
		Actor:      e.Actor,
		RecordedBy: e.RecordedBy,
		Fields:     x.Fields,
	}
	if x.Evidence != (content.Hash{}) {
		s.Evidence = x.Evidence.String()
	}

	_, s.Details = e.Part("details")
	amount, codes := x.Field("amount"), ""
	switch x.Kind {
	case "request.rejected":
		codes = x.Field("codes")
	case "fee.waived": // what is waived is what was quoted
		err := b.tx.Each("SELECT amount FROM steps WHERE app = ? AND noun = ? AND id = ? AND kind = 'fee.quoted' "+
			"ORDER BY position DESC LIMIT 1",
			[]any{string(c.App), string(c.Noun), c.ID}, func(scan func(...any) error) error { return scan(&amount) })
		if err != nil {
			return err
		}
	}

	_, err := b.tx.Exec(insertStep,
		append([]any{string(c.App), string(c.Noun), c.ID, c.Person, amount, codes}, s.columns()...)...)
	return err
}

// foldRequest folds the request's steps as the domain does.
func (b *batch) foldRequest(e codec.Entry, x domain.Stepped, c *Case) error {
	received := domain.RequestReceived{Authenticated: c.Authenticated}
	for _, name := range c.Types {
		t, err := request.ParseType(name)
		if err != nil {
			return err
		}
		received.Types = append(received.Types, t)
	}

	r := cases.Request{}.Evolve(domain.Fact{At: c.At, Recorded: c.Recorded, Event: received})
	err := b.steps(c, func(f domain.Fact) { r = r.Evolve(f) })
	if err != nil {
		return err
	}

	closed := c.Closed
	c.Marks, c.Done, c.State, c.Closed = r.Marks.Names(), nil, "open", 0
	for _, t := range r.Done {
		c.Done = append(c.Done, t.String())
	}

	if !r.Marks.Has("open") {
		c.State, c.Closed = strings.TrimPrefix(string(r.Outcome), "request."), e.Recorded
		if x.Late() {
			c.Closed = closed
		}
	}
	return nil
}

// foldIncident folds the incident's steps as the domain does. A step that arrives late ends nothing,
// so an incident that is over keeps the time at which it ended.
func (b *batch) foldIncident(e codec.Entry, c *Case) error {
	var i cases.Incident
	err := b.steps(c, func(f domain.Fact) { i = i.Evolve(f) })
	c.Marks, c.State = i.Marks.Names(), i.State

	switch {
	case !i.Over():
		c.Closed = 0
	case c.Closed == 0:
		c.Closed = e.Recorded
	}
	return err
}

// steps calls fold for every step of a case, with what a fold needs of it.
func (b *batch) steps(c *Case, fold func(domain.Fact)) error {
	return b.tx.Each("SELECT "+stepColumns+" FROM steps WHERE app = ? AND noun = ? AND id = ? ORDER BY position",
		[]any{string(c.App), string(c.Noun), c.ID}, func(scan func(...any) error) error {
			var s Step
			err := scan(s.columns()...)
			if err == nil {
				fold(domain.Fact{
					At:       s.At,
					Recorded: s.Recorded,
					Event:    domain.Stepped{Kind: catalog.Step(s.Kind), Fields: s.Fields},
				})
			}
			return err
		})
}

func (b *batch) findCase(s ident.StreamID) (found *Case, err error) {
	err = b.tx.Each("SELECT "+caseColumns+" FROM cases WHERE app = ? AND noun = ? AND id = ? AND to_position = "+now,
		[]any{string(s.App), string(s.Noun), s.ID}, func(scan func(...any) error) error {
			found, err = readCase(scan)
			return err
		})
	return found, err
}

func readCase(scan func(...any) error) (*Case, error) {
	c := new(Case)
	return c, scan(c.columns()...)
}

// writeCase closes the row that is there and opens the next.
func (b *batch) writeCase(e codec.Entry, c *Case) error {
	c.Changed = e.Recorded
	_, err := b.tx.Exec("UPDATE cases SET to_position = ? WHERE app = ? AND noun = ? AND id = ? AND to_position = "+now,
		int64(e.Position), string(c.App), string(c.Noun), c.ID)
	if err != nil {
		return err
	}
	_, err = b.tx.Exec(insertCase, append([]any{int64(e.Position)}, c.columns()...)...)
	return err
}

// A CaseQuery asks for requests, or for incidents.
type CaseQuery struct {
	App    ident.AppName
	Noun   ident.Noun
	Known  Known
	States []string         // none: any
	Type   string           // empty: any
	Person string           // a pseudonym; empty: anybody
	Since  deadline.Instant // those alone that are open, or were closed then or later; zero: all
	After  eventstore.Position
	Limit  int
}

// Cases returns cases in the order in which they were begun, those after a
// position; Begun of the last of them asks for what comes next. Of a person who
// is a test none is returned.
func (v *View) Cases(ctx ctx, q CaseQuery) (list []Case, asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		if asOf, err = q.Known.position(position); err != nil {
			return err
		}
		query, args := q.sql(asOf, asOf == position)
		return tx.Each(query, args, func(scan func(...any) error) error {
			c, err := readCase(scan)
			if err == nil {
				list = append(list, *c)
			}
			return err
		})
	})
	return list, asOf, err
}

// sql returns what is asked of the tables, as of a position. Each state is asked by itself: so the
// index cases_state has the rows of each in their order, and as many are read as are wanted.
func (q CaseQuery) sql(asOf eventstore.Position, newest bool) (query string, args []any) {
	states := q.States
	if len(states) == 0 {
		states = []string{""}
	}

	for i, state := range states {
		if i > 0 {
			query += " UNION ALL "
		}
		query += "SELECT " + caseColumns + " FROM cases WHERE app = ? AND noun = ? AND begun > ? AND test = 0"
		args = append(args, string(q.App), string(q.Noun), int64(q.After))

		// An index of part of a table serves who names that part.
		if newest {
			query += " AND to_position = " + now
		} else {
			query, args = query+" AND from_position <= ? AND to_position > ?", append(args, int64(asOf), int64(asOf))
		}
		if state != "" {
			query, args = query+" AND state = ?", append(args, state)
		}
		if q.Type != "" {
			query, args = query+" AND instr(types, ?) > 0", append(args, ","+q.Type+",")
		}
		if q.Person != "" {
			query, args = query+" AND person = ? AND person <> ''", append(args, q.Person)
		}
		if q.Since != 0 {
			query, args = query+" AND (state = 'open' OR closed = 0 OR closed >= ?)", append(args, int64(q.Since))
		}
	}
	return query + " ORDER BY begun LIMIT ?", append(args, q.Limit)
}

// Case returns a request or an incident with its steps and the obligations that
// follow from it, judged at a moment, and whether there is one. One of a person
// who is a test is there too: who asks for it by its id knows it.
func (v *View) Case(
	ctx ctx, s ident.StreamID, k Known, at deadline.Instant,
) (c Case, steps []Step, duties []Obligation, ok bool, asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		if asOf, err = k.position(position); err != nil {
			return err
		}
		err := tx.Each("SELECT "+caseColumns+" FROM cases WHERE app = ? AND noun = ? AND id = ? AND from_position <= "+
			"? AND to_position > ?",
			[]any{string(s.App), string(s.Noun), s.ID, int64(asOf), int64(asOf)}, func(scan func(...any) error) error {
				found, err := readCase(scan)
				if err == nil {
					c, ok = *found, true
				}
				return err
			})
		if err != nil || !ok {
			return err
		}
		err = tx.Each("SELECT "+stepColumns+" FROM steps WHERE app = ? AND noun = ? AND id = ? AND position <= ? "+
			"ORDER BY position",
			[]any{string(s.App), string(s.Noun), s.ID, int64(asOf)}, func(scan func(...any) error) error {
				var step Step
				err := scan(step.columns()...)
				steps = append(steps, step)
				return err
			})
		if err != nil {
			return err
		}
		duties, err = v.dutiesOf(tx, s, position, asOf, at)
		return err
	})
	return c, steps, duties, ok, asOf, err
}
