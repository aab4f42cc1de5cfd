package requests

import (
	"sync"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"

	"github.com/go-json-experiment/json"
)

// calendars is every calendar that was published, kept in memory beside the
// file. Apply adds; queries read.
type calendars struct {
	mu   sync.Mutex
	list []publication
	made map[madeFor]deadline.Calendars // folds that were asked for; dropped when the list changes
	asOf eventstore.Position            // up to which the table holds nothing more
	from string                         // the table's writer; see [readmodel.Tx.Writer]
}

type publication struct {
	app      ident.AppName
	position eventstore.Position
	fact     domain.Fact
}

// A madeFor says what a fold is of: the calendars that an app goes by, as many
// as were published then.
type madeFor struct {
	app ident.AppName
	n   int
}

// A calendarV1 is a deadline.Calendar in the table calendars. Field for field
// they are the same, so that a change of one does not go unnoticed.
type calendarV1 struct {
	Jurisdiction string          `json:"jurisdiction"`
	AddsTo       string          `json:"adds_to,omitzero"`
	Year         int             `json:"year"`
	Version      int             `json:"version"`
	Notice       string          `json:"notice,omitzero"`
	Issued       deadline.Date   `json:"issued,omitzero"`
	Off          []deadline.Date `json:"off,omitempty"`
	MakeUp       []deadline.Date `json:"makeup,omitempty"`
	WorkingDays  int             `json:"working_days,omitzero"`
	Partial      bool            `json:"partial,omitzero"`
	Projected    bool            `json:"projected,omitzero"`
	Reported     bool            `json:"reported,omitzero"`
	Source       string          `json:"source,omitzero"`
}

func (b *batch) publish(e codec.Entry, x domain.CalendarPublished) error {
	text, err := json.Marshal(calendarV1(x.Calendar))
	if err != nil {
		return err
	}
	fact := e.Fact()
	fact.Event = x
	b.view.calendars.add(publication{e.Stream.App, e.Position, fact})
	_, err = b.tx.Exec("INSERT INTO calendars VALUES (?, ?, ?, ?)", int64(e.Position), string(e.Stream.App),
		int64(e.Recorded), string(text))
	return err
}

// read reads what the table holds more, up to the snapshot of tx: another process may
// have written it.
func (c *calendars) read(tx *readmodel.Tx, position eventstore.Position) error {
	c.mu.Lock()
	if c.from != tx.Writer() {
		c.list, c.made, c.asOf, c.from = nil, nil, 0, tx.Writer()
	}

	after := c.asOf
	c.mu.Unlock()
	if after >= position {
		return nil
	}
	if err := c.load(tx, after); err != nil {
		return err
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from == tx.Writer() {
		c.asOf = max(c.asOf, position)
	}
	return nil
}

func (c *calendars) load(tx *readmodel.Tx, after eventstore.Position) error {
	return tx.Each("SELECT position, app, recorded, calendar FROM calendars WHERE position > ? ORDER BY position",
		[]any{int64(after)}, func(scan func(...any) error) error {
			var position, recorded int64
			var app, text string
			if err := scan(&position, &app, &recorded, &text); err != nil {
				return err
			}
			var k calendarV1
			if err := json.Unmarshal([]byte(text), &k); err != nil {
				return err
			}
			c.add(publication{ident.AppName(app), eventstore.Position(position),
				domain.Fact{Recorded: deadline.Instant(recorded),
					Event: domain.CalendarPublished{Calendar: deadline.Calendar(k)}}})
			return nil
		})
}

func (c *calendars) add(p publication) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.list); n > 0 && p.position <= c.list[n-1].position {
		return // it is there: the table was read of what this process has written
	}
	c.list, c.made = append(c.list, p), nil
}

// forgetAfter drops what a transaction that failed had added.
func (c *calendars) forgetAfter(p eventstore.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.list) > 0 && c.list[len(c.list)-1].position > p {
		c.list = c.list[:len(c.list)-1]
	}
	c.made, c.asOf = nil, min(c.asOf, p)
}

// follow says that a batch that began behind a position is in the table.
func (c *calendars) follow(before, position eventstore.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asOf == before {
		c.asOf = position
	}
}

// own returns the calendars that an app published up to a position, and no
// other's.
func (c *calendars) own(app ident.AppName, p eventstore.Position) deadline.Calendars {
	c.mu.Lock()
	has := false
	for _, k := range c.list {
		has = has || k.app == app && k.position <= p
	}
	c.mu.Unlock()
	if !has {
		return deadline.Calendars{}
	}
	return c.at(app, p)
}

// at returns the calendars that an app goes by, as they were known at a
// position: those that it published, or else everybody's.
func (c *calendars) at(app ident.AppName, p eventstore.Position) deadline.Calendars {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, own := 0, false
	for n < len(c.list) && c.list[n].position <= p {
		own = own || c.list[n].app == app
		n++
	}

	if !own {
		app = ""
	}

	k, ok := c.made[madeFor{app, n}]
	if ok {
		return k
	}

	for _, p := range c.list[:n] {
		if app == "" || p.app == app {
			k = domain.EvolveCalendars(k, p.fact)
		}
	}

	if c.made == nil || len(c.made) > 64 {
		c.made = map[madeFor]deadline.Calendars{}
	}

	c.made[madeFor{app, n}] = k
	return k
}
