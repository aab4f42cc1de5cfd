package requests

import (
	"fmt"
	"strings"
	"sync"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// An index is every row of obligations in memory, without its detail: what a
// report is found, sorted and counted by, and what Apply finds an obligation by.
// It never says more than the file does: what Apply wrote is added once it is
// committed, or else read from the file by whoever asks next. Rows are added, and
// end where the next begins, and nothing else, so that an index that is further
// than a snapshot still holds what the snapshot holds.
type index struct {
	mu      sync.RWMutex
	asOf    eventstore.Position
	from    string // the writer of what was read; see [readmodel.Tx.Writer]
	count   size
	classes []*class // by their numbers
	known   map[common]*class
	apps    map[ident.AppName]*owed
}

// A size is how far an index is.
type size struct{ rows, duties, classes int64 }

// An owed is what an app owes.
type owed struct {
	rows    []row              // in the order of their beginning
	streams map[string]*duty   // of each the first that was opened
	people  map[string][]*duty // nil until somebody asks for a person
}

// A duty is an obligation, as far as nothing changes it.
type duty struct {
	stream, person string
	of             *class
	newest         int   // of its rows
	next           *duty // that was opened in the same stream
}

// A row is a row of the table obligations.
type row struct {
	circumstances
	duty     *duty
	of       *class // the duty's, at hand
	opened   deadline.Instant
	number   int64
	from, to eventstore.Position
	day      deadline.Date
	days     int32
	before   int32 // the row of the same duty before this one; below zero: none

	provisional, binding, test bool
}

// Circumstances are what an obligation's state follows from.
type circumstances struct {
	settled, over, risk deadline.Instant
	phase               deadline.DueState
	outcome             State
	held                bool
	keep                bool // it is done when its date has come, and never late
}

// at returns the state at a moment.
func (c *circumstances) at(at deadline.Instant) State {
	switch {
	case c.settled != 0 && c.settled <= at:
		return c.outcome
	case c.phase == deadline.NotStarted:
		return StateNotStarted
	case c.phase == deadline.Suspended && c.held:
		return StateHeld
	case c.phase == deadline.Suspended:
		return StatePaused
	case c.keep:
		return StateOpen
	case c.over <= at:
		return StateOverdue
	case c.risk <= at:
		return StateAtRisk
	}
	return StateOpen
}

func (o *Obligation) circumstances() circumstances {
	return circumstances{o.Settled, o.Due.Over, o.Due.Risk, o.Due.Phase, o.Outcome, o.Held, o.Kind == policy.DutyKeep}
}

// A line is a row that no index has yet.
type line struct {
	Obligation
	from, to eventstore.Position
}

// forever is where a row ends that is the newest of its obligation.
const forever eventstore.Position = 1<<64 - 1

// read reads what the file holds more than the index, up to the snapshot of tx.
func (x *index) read(tx *readmodel.Tx, position eventstore.Position) error {
	x.mu.RLock()
	there := x.asOf >= position && x.from == tx.Writer()
	x.mu.RUnlock()
	if there {
		return nil
	}

	x.mu.Lock()
	defer x.mu.Unlock()
	if x.from != tx.Writer() { // what is here may be of entries that were lost
		x.asOf, x.count, x.classes, x.known, x.apps, x.from = 0, size{}, nil, nil, nil, tx.Writer()
	}
	if x.asOf >= position {
		return nil
	}
	if err := x.readSorts(tx); err != nil {
		return err
	}
	if err := x.readRows(tx); err != nil {
		return err
	}

	x.asOf = position
	return nil
}

// follow adds what Apply wrote to an index of some size, and as far as the file
// was before; another's readers have read it already, or will.
func (x *index) follow(before, position eventstore.Position, was size, classes []*class, lines []*line) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.asOf != before || x.count != was {
		return
	}
	for _, s := range classes {
		x.addClass(s)
	}
	for _, n := range lines {
		x.addRow(n)
	}
	x.asOf = position
}

func (x *index) addClass(s *class) {
	if x.known == nil {
		x.known = map[common]*class{}
	}
	x.classes, x.known[s.common] = append(x.classes, s), s
	x.count.classes++
}

func (x *index) addRow(n *line) {
	w := x.apps[n.of.app]
	if w == nil {
		if x.apps == nil {
			x.apps = map[ident.AppName]*owed{}
		}
		w = &owed{streams: map[string]*duty{}}
		x.apps[n.of.app] = w
	}
	x.count.rows++
	if w.add(n) {
		x.count.duties++
	}
}

// add adds a row, and ends the one before it. It reports whether it is the first of
// its obligation.
func (w *owed) add(n *line) (first bool) {
	r := row{
		circumstances: n.circumstances(),
		of:            n.of,
		opened:        n.Opened,
		number:        n.row,
		from:          n.from,
		to:            forever,
		day:           n.Due.Day,
		days:          int32(n.Days),
		before:        -1,
		provisional:   n.Due.Provisional,
		binding:       n.Binding,
		test:          n.Test,
	}
	if r.duty = w.find(n.Stream, n.of.id); r.duty != nil {
		r.before = int32(r.duty.newest)
		w.rows[r.before].to = r.from
	} else {
		r.duty, first = w.open(duty{stream: n.Stream, person: n.Person, of: n.of}), true
	}

	r.duty.newest = len(w.rows)
	w.rows = append(w.rows, r)
	return first
}

func (w *owed) find(stream, id string) *duty {
	d := w.streams[stream]
	for d != nil && d.of.id != id {
		d = d.next
	}
	return d
}

func (w *owed) open(d duty) *duty {
	last := w.streams[d.stream]
	if last == nil {
		d.person = strings.Clone(d.person) // which may be part of a whole record
		w.streams[d.stream] = &d
	} else {
		for d.stream = last.stream; last.next != nil; {
			last = last.next
		}
		last.next = &d
		if d.person == last.person {
			d.person = last.person
		}
	}

	if w.people != nil {
		w.people[d.person] = append(w.people[d.person], &d)
	}
	return &d
}

// all returns the classes by their numbers, less one.
func (x *index) all() []*class {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.classes
}

func (x *index) size() size {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.count
}

// class returns the class that has something; nil: there is none yet.
func (x *index) class(c common) *class {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.known[c]
}

// now returns the numbers of the newest rows of a stream's obligations, in the
// order of their opening.
func (x *index) now(app ident.AppName, stream string) (numbers []int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	w := x.apps[app]
	if w == nil {
		return nil
	}
	for d := w.streams[stream]; d != nil; d = d.next {
		numbers = append(numbers, w.rows[d.newest].number)
	}
	return numbers
}

// of returns the streams in which something is owed to a person, not all of
// them once.
func (x *index) of(app ident.AppName, person string) (streams []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := x.apps[app]
	if w == nil {
		return nil
	}

	if w.people == nil {
		w.people = map[string][]*duty{}
		for i := range w.rows {
			if d := w.rows[i].duty; d.newest == i {
				w.people[d.person] = append(w.people[d.person], d)
			}
		}
	}

	for _, d := range w.people[person] {
		streams = append(streams, d.stream)
	}
	return streams
}

func (x *index) readSorts(tx *readmodel.Tx) error {
	return tx.Each("SELECT number, app, id, kind, types, target, rule, source, law, version, rule_set, keeps, "+
		"cause_kind, clock, month FROM sorts WHERE number > ? ORDER BY number",
		[]any{x.count.classes}, func(scan func(...any) error) error {
			s := new(class)
			err := scan(&s.number, &s.app, &s.id, &s.kind, &s.types, &s.target, &s.rule, &s.source, &s.law, &s.version,
				&s.ruleSet, &s.keeps, &s.causeKind, &s.clock, &s.month)
			if err == nil {
				x.addClass(s)
			}
			return err
		})
}

func (x *index) readRows(tx *readmodel.Tx) error {
	return tx.Each("SELECT d.sort, d.stream, d.person, d.opened, r.number, r.from_position, r.test, r.phase, r.day, "+
		"r.over, r.risk, r.provisional, "+
		"r.held, r.binding, r.outcome, r.settled, r.days FROM duty_rows r CROSS JOIN duties d ON d.number = r.duty "+
		"WHERE r.number > ? ORDER BY r.number",
		[]any{x.count.rows}, func(scan func(...any) error) error {
			var of int
			n := &line{to: forever}
			o, d := &n.Obligation, &n.Due
			err := scan(&of, &o.Stream, &o.Person, &o.Opened, &o.row, &n.from, &o.Test, (*phase)(&d.Phase), &d.Day,
				&d.Over, &d.Risk, &d.Provisional,
				&o.Held, &o.Binding, (*outcome)(&o.Outcome), &o.Settled, &o.Days)
			if err != nil {
				return err
			}
			if o.of, err = classAt(x.classes, of); err == nil {
				o.Kind = o.of.kind // which its circumstances depend on
				x.addRow(n)
			}
			return err
		})
}

// classAt returns the class of a number.
func classAt(classes []*class, n int) (*class, error) {
	if n < 1 || n > len(classes) {
		return nil, fmt.Errorf("an obligation is of class %d of %d", n, len(classes))
	}
	return classes[n-1], nil
}

// at returns the number of the row that an obligation of a stream had at a position; zero: none.
func (x *index) at(app ident.AppName, stream, id string, position eventstore.Position) int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	w := x.apps[app]
	if w == nil {
		return 0
	}
	d := w.find(stream, id)
	if d == nil {
		return 0
	}
	for i := int32(d.newest); i >= 0; i = w.rows[i].before {
		if r := &w.rows[i]; r.from <= position {
			return r.number
		}
	}
	return 0
}

// concerning reads what is owed in a request or incident, or follows from it, as it was at a
// position. Which duties these are the file says, which row each had then the index.
func (x *index) concerning(
	tx *readmodel.Tx, of ident.StreamID, position eventstore.Position,
) (list []*Obligation, err error) {
	var numbers []int64
	err = tx.Each("SELECT d.stream, s.id FROM duties d CROSS JOIN sorts s ON s.number = d.sort WHERE d.concerns = ? AND "+
		"d.concerns <> ''", []any{of.String()}, func(scan func(...any) error) error {
		var stream, id string
		err := scan(&stream, &id)
		if n := x.at(of.App, stream, id, position); n != 0 {
			numbers = append(numbers, n)
		}
		return err
	})
	if err != nil {
		return nil, err
	}

	for _, n := range numbers {
		o, err := x.open(tx, n)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

// open reads the row of a number from the file.
func (x *index) open(tx *readmodel.Tx, number int64) (*Obligation, error) {
	list, err := x.find(tx, "r.number = ?", number)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("row %d of the obligations is not there", number)
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}
