package requests

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"

	"github.com/go-json-experiment/json"
)

// A Case is a request or an incident as it stands.
type Case struct {
	App  domain.AppName `json:"-"`
	Noun domain.Noun    `json:"-"`
	ID   string         `json:"-"`

	caseV1
}

// caseV1 is what is kept of a case, in the column detail; see keptV1.
type caseV1 struct {
	Begun         eventstore.Position `json:"begun"`
	Person        string              `json:"person,omitzero"` // a pseudonym
	Test          bool                `json:"test,omitzero"`
	Types         []string            `json:"types,omitempty"`
	Policy        string              `json:"policy,omitzero"`
	Version       string              `json:"version,omitzero"`
	Channel       string              `json:"channel,omitzero"`
	Authenticated bool                `json:"authenticated,omitzero"`
	Purposes      []domain.PurposeID  `json:"purposes,omitempty"`
	Unpromised    []string            `json:"unpromised,omitempty"` // types for which the policy promises no date
	Document      string              `json:"document,omitzero"`
	Cause         string              `json:"cause,omitzero"` // the withdrawal that came with it
	At            domain.Instant      `json:"at"`
	Recorded      domain.Instant      `json:"recorded"`
	Event         string              `json:"event"`
	State         string              `json:"state"` // open, or the last word of what closed it
	Closed        domain.Instant      `json:"closed,omitzero"`
	Marks         []string            `json:"marks,omitempty"`
	Done          []string            `json:"done,omitempty"` // the types that have their answer
	Changed       domain.Instant      `json:"changed"`
}

// A Step is one step of a case.
type Step struct {
	Position eventstore.Position `json:"-"`

	stepV1
}

// stepV1 is what is kept of a step; see keptV1.
type stepV1 struct {
	Event      string         `json:"event"`
	Kind       string         `json:"kind"`
	At         domain.Instant `json:"at"`
	Recorded   domain.Instant `json:"recorded"`
	Actor      string         `json:"actor"`
	RecordedBy string         `json:"recorded_by"`
	Fields     []fieldV1      `json:"fields,omitempty"`
	Evidence   string         `json:"evidence,omitzero"`
	Details    bool           `json:"details,omitzero"` // there is a text of the person's, sealed
}

type fieldV1 struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (b *batch) receive(e codec.Entry, x domain.RequestReceived) error {
	c := &Case{App: e.Stream.App, Noun: e.Stream.Noun, ID: e.Stream.ID}
	c.caseV1 = caseV1{
		Begun: e.Position, Person: x.Subject, Policy: x.Policy, Version: x.Version.String(), Channel: string(x.Channel), Authenticated: x.Authenticated,
		Purposes: x.Purposes, At: e.At, Recorded: e.Recorded, Event: e.ID.String(), State: "open",
	}
	for _, t := range x.Types {
		c.Types = append(c.Types, t.String())
	}
	for _, t := range x.Unpromised {
		c.Unpromised = append(c.Unpromised, t.String())
	}
	if x.Document != (domain.Hash{}) {
		c.Document = x.Document.String()
	}
	if x.Cause != (domain.EventID{}) {
		c.Cause = eventstore.EventID(x.Cause).String()
	}
	var err error
	if c.Test, err = b.isTest(c.App, c.Person); err != nil {
		return err
	}
	c.Marks = domain.Request{}.Evolve(e.Fact()).Marks
	return b.writeCase(e, c)
}

func (b *batch) step(e codec.Entry, x domain.Stepped) error {
	c, err := b.findCase(e.Stream)
	switch {
	case err != nil:
		return err
	case c == nil && e.Stream.Noun != domain.IncidentNoun:
		return fmt.Errorf("a step of %s, which was never received", e.Stream.Noun)
	case c == nil:
		c = &Case{App: e.Stream.App, Noun: e.Stream.Noun, ID: e.Stream.ID}
		c.caseV1 = caseV1{Begun: e.Position, At: e.At, Recorded: e.Recorded, Event: e.ID.String()}
	}
	if err := b.writeStep(e, x, c); err != nil {
		return err
	}
	if c.Noun == domain.IncidentNoun {
		err = b.foldIncident(c)
	} else {
		err = b.foldRequest(e, c)
	}
	if err != nil {
		return err
	}
	return b.writeCase(e, c)
}

func (b *batch) writeStep(e codec.Entry, x domain.Stepped, c *Case) error {
	s := stepV1{Event: e.ID.String(), Kind: string(x.Kind), At: e.At, Recorded: e.Recorded, Actor: e.Actor, RecordedBy: e.RecordedBy}
	for _, f := range x.Fields {
		s.Fields = append(s.Fields, fieldV1(f))
	}
	if x.Evidence != (domain.Hash{}) {
		s.Evidence = x.Evidence.String()
	}
	s.Details = slices.ContainsFunc(e.Parts, func(p codec.Part) bool { return p.Role == "details" })
	amount, codes := x.Field("amount"), ""
	switch x.Kind {
	case "request.rejected":
		codes = x.Field("codes")
	case "fee.waived": // what is waived is what was quoted
		err := b.tx.Each("SELECT amount FROM steps WHERE app = ? AND noun = ? AND id = ? AND kind = 'fee.quoted' ORDER BY position DESC LIMIT 1",
			[]any{string(c.App), string(c.Noun), c.ID}, func(scan func(...any) error) error { return scan(&amount) })
		if err != nil {
			return err
		}
	}
	text, err := json.Marshal(&s)
	if err != nil {
		return err
	}
	_, err = b.tx.Exec("INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		string(c.App), string(c.Noun), c.ID, int64(e.Position), s.Kind, c.Person, amount, codes, string(text))
	return err
}

// foldRequest folds the request's steps as the domain does.
func (b *batch) foldRequest(e codec.Entry, c *Case) error {
	received := domain.RequestReceived{Authenticated: c.Authenticated}
	for _, name := range c.Types {
		t, err := domain.ParseRequestType(name)
		if err != nil {
			return err
		}
		received.Types = append(received.Types, t)
	}
	r := domain.Request{}.Evolve(domain.Fact{At: c.At, Recorded: c.Recorded, Event: received})
	err := b.steps(c, func(f domain.Fact) { r = r.Evolve(f) })
	if err != nil {
		return err
	}
	closed := c.Closed
	c.Marks, c.Done, c.State, c.Closed = r.Marks, nil, "open", 0
	for _, t := range r.Done {
		c.Done = append(c.Done, t.String())
	}
	if !r.Marks.Has("open") {
		c.State, c.Closed = strings.TrimPrefix(string(r.Outcome), "request."), e.Recorded
		if x, _ := e.Event.(domain.Stepped); x.Late() {
			c.Closed = closed
		}
	}
	return nil
}

func (b *batch) foldIncident(c *Case) error {
	var i domain.Incident
	err := b.steps(c, func(f domain.Fact) { i = i.Evolve(f) })
	c.Marks, c.State = i.Marks, i.State
	return err
}

// steps calls fold for every step of a case, with what a fold needs of it.
func (b *batch) steps(c *Case, fold func(domain.Fact)) error {
	return b.tx.Each("SELECT step FROM steps WHERE app = ? AND noun = ? AND id = ? ORDER BY position", []any{string(c.App), string(c.Noun), c.ID}, func(scan func(...any) error) error {
		s, err := readStep(scan)
		if err == nil {
			fold(domain.Fact{At: s.At, Recorded: s.Recorded, Event: s.stepped()})
		}
		return err
	})
}

func readStep(scan func(...any) error, more ...any) (s Step, err error) {
	var text []byte
	if err := scan(append([]any{&text}, more...)...); err != nil {
		return s, err
	}
	err = json.Unmarshal(text, &s.stepV1, json.RejectUnknownMembers(true))
	return s, err
}

func (s stepV1) stepped() domain.Stepped {
	x := domain.Stepped{Kind: domain.StepKind(s.Kind)}
	for _, f := range s.Fields {
		x.Fields = append(x.Fields, domain.Field(f))
	}
	return x
}

func (b *batch) findCase(s domain.StreamID) (found *Case, err error) {
	err = b.tx.Each("SELECT app, noun, id, detail FROM cases WHERE app = ? AND noun = ? AND id = ? AND to_position = "+now,
		[]any{string(s.App), string(s.Noun), s.ID}, func(scan func(...any) error) error {
			found, err = readCase(scan)
			return err
		})
	return found, err
}

func readCase(scan func(...any) error) (*Case, error) {
	c := new(Case)
	var detail []byte
	if err := scan((*string)(&c.App), (*string)(&c.Noun), &c.ID, &detail); err != nil {
		return nil, err
	}
	return c, json.Unmarshal(detail, &c.caseV1, json.RejectUnknownMembers(true))
}

// writeCase closes the row that is there and opens the next.
func (b *batch) writeCase(e codec.Entry, c *Case) error {
	c.Changed = e.Recorded
	err := closeRow(b.tx, "UPDATE cases SET to_position = ?, to_recorded = ? WHERE app = ? AND noun = ? AND id = ? AND to_position = "+now, e, string(c.App), string(c.Noun), c.ID)
	if err != nil {
		return err
	}
	detail, err := json.Marshal(&c.caseV1)
	if err != nil {
		return err
	}
	_, err = b.tx.Exec("INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		string(c.App), string(c.Noun), c.ID, int64(e.Position), int64(math.MaxInt64), int64(e.Recorded), int64(math.MaxInt64),
		int64(c.Begun), c.Person, c.Test, listOf(c.Types), c.State, string(detail))
	return err
}

// A CaseQuery asks for requests, or for incidents.
type CaseQuery struct {
	App    domain.AppName
	Noun   domain.Noun
	Known  Known
	State  string // empty: any
	Type   string // empty: any
	Person string // a pseudonym; empty: anybody
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
		query := "SELECT app, noun, id, detail FROM cases WHERE app = ? AND noun = ? AND begun > ? AND from_position <= ? AND to_position > ? AND test = 0"
		args := []any{string(q.App), string(q.Noun), int64(q.After), int64(asOf), int64(asOf)}
		if q.State != "" {
			query, args = query+" AND state = ?", append(args, q.State)
		}
		if q.Type != "" {
			query, args = query+" AND instr(types, ?) > 0", append(args, ","+q.Type+",")
		}
		if q.Person != "" {
			query, args = query+" AND person = ?", append(args, q.Person)
		}
		return tx.Each(query+" ORDER BY begun LIMIT ?", append(args, q.Limit), func(scan func(...any) error) error {
			c, err := readCase(scan)
			if err == nil {
				list = append(list, *c)
			}
			return err
		})
	})
	return list, asOf, err
}

// Case returns a request or an incident with its steps and the obligations that
// follow from it, judged at a moment, and whether there is one. One of a person
// who is a test is there too: who asks for it by its id knows it.
func (v *View) Case(ctx ctx, s domain.StreamID, k Known, at domain.Instant) (c Case, steps []Step, duties []Obligation, ok bool, asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		if asOf, err = k.position(position); err != nil {
			return err
		}
		err := tx.Each("SELECT app, noun, id, detail FROM cases WHERE app = ? AND noun = ? AND id = ? AND from_position <= ? AND to_position > ?",
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
		err = tx.Each("SELECT step, position FROM steps WHERE app = ? AND noun = ? AND id = ? AND position <= ? ORDER BY position",
			[]any{string(s.App), string(s.Noun), s.ID, int64(asOf)}, func(scan func(...any) error) error {
				var p int64
				step, err := readStep(scan, &p)
				step.Position = eventstore.Position(p)
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
