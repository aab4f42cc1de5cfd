package requests

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/request"
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

// A Lane is a group of obligations that stands together in a report by due date
// or by state. What persons asked for by their rights comes first: there are few
// of them, each has a date of its own in law, and they are not to be looked for
// behind the many replies that follow from withdrawals alone.
type Lane int8

const (
	LaneRequests Lane = iota // requests, but for those that only withdraw
	LaneOther
)

var lanes = [...]string{"requests", "other"}

func (l Lane) String() string { return lanes[l] }

// ParseLane reads what [Lane.String] writes.
func ParseLane(text string) (Lane, error) {
	if i := slices.Index(lanes[:], text); i >= 0 {
		return Lane(i), nil
	}
	return 0, fmt.Errorf("a group is one of %s", strings.Join(lanes[:], ", "))
}

// onlyWithdraw are the types of a request that only withdraws. It is compared for every row of a
// report, and so made once.
var onlyWithdraw = listOf([]string{request.Withdraw.String()})

// group returns the lane of the obligations of a class.
func (s *class) group() Lane {
	if s.types == "" || s.types == onlyWithdraw {
		return LaneOther
	}
	return LaneRequests
}

// dated reports whether somebody has to keep the date of a class: it is a reply to a request,
// or of an incident. All else follows from many consents at once, and systems do it.
func (s *class) dated() bool {
	return s.group() == LaneRequests || strings.HasPrefix(s.causeKind, "incident.")
}

// Lane returns the group in which an obligation stands.
func (o *Obligation) Lane() Lane { return o.of.group() }

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
	App         ident.AppName
	At          deadline.Instant
	Known       Known
	States      []State
	Lanes       []Lane
	Kind        policy.DutyKind
	Type        string
	Rule        deadline.RuleID
	Stream      string
	ID          string // within the stream
	Person      string // a pseudonym
	Provisional Choice
	Before      deadline.Date // due before that day, in the rule's place
	After       deadline.Date // due after that day
	Binding     bool          // only those that bind
	Dated       bool          // only what persons asked for by their rights, and incidents: see [class.dated]

	Since      deadline.Instant    // leaves out what was settled before; zero: nothing
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
	Group  Lane   `json:"g,omitzero"` // not of reports by opening
	State  State  `json:"s,omitzero"` // of reports by state
	Key    int64  `json:"k"`
	Stream string `json:"t"`
	ID     string `json:"i"`
}

// place returns where o stands in the order of a report.
func (s Sort) place(o *Obligation) Place {
	p := s.at(o.of, o.State, o.Due.Over, o.Opened)
	p.Stream, p.ID = o.Stream, o.ID
	return p
}

// at returns where what is of a class and in a state stands in the order of a report, but
// for its stream and id.
func (s Sort) at(of *class, state State, over, opened deadline.Instant) Place {
	p := Place{Group: of.group(), Key: int64(over)}
	switch s {
	case ByOpened:
		p.Group, p.Key = 0, int64(opened)
	case ByState:
		p.State = state
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
	view   *View
	tx     *readmodel.Tx
	newest eventstore.Position // that of the snapshot
	asOf   eventstore.Position
	clocks []clock
}

// A clock is a place whose days are counted, at the moment that is asked about.
type clock struct {
	name  string
	today deadline.Date
	days  *deadline.Workdays
}

// read runs do on a snapshot.
func (v *View) read(ctx ctx, q Query, do func(*reading) error) (asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		if err := v.catchUp(tx, position); err != nil {
			return err
		}
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
	r := &reading{Query: q, view: v, tx: tx, newest: position}
	var err error
	if r.asOf, err = q.Known.position(position); err != nil {
		return nil, err
	}

	calendars := v.calendars.at(q.App, r.asOf)
	err = tx.Each("SELECT clock FROM clocks WHERE app = ? ORDER BY clock", []any{string(q.App)},
		func(scan func(...any) error) error {
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
	picks, err := r.picks()
	if err != nil {
		return nil, Place{}, err
	}
	return r.open(picks, limit)
}

// open reads the rows of a page, and the one after it, which says that there is more.
func (r *reading) open(picks []pick, limit int) (list []Obligation, next Place, err error) {
	err = r.read(picks, func(o Obligation) error {
		if len(list) == limit {
			next = r.Sort.place(&list[limit-1])
			return nil
		}
		list = append(list, o)
		return nil
	})
	return list, next, err
}

// judge says how an obligation stands at the moment of the reading.
func (r *reading) judge(o *Obligation) {
	stands := o.circumstances()
	o.State = stands.at(r.At)
	if o.State > StateOpen {
		return
	}
	for _, c := range r.clocks {
		if c.name == o.Clock && o.Due.Day != 0 {
			o.Left, o.Counts = c.days.Between(c.today, o.Due.Day), true
		}
	}
}

// dutiesOf returns the obligations of a request or incident, and those that
// follow from it, of tests too.
func (v *View) dutiesOf(
	tx *readmodel.Tx, of ident.StreamID, position, asOf eventstore.Position, at deadline.Instant,
) (list []Obligation, err error) {
	if err := v.catchUp(tx, position); err != nil {
		return nil, err
	}

	r, err := v.reading(tx, Query{App: of.App, At: at, Known: Known{true, asOf}}, asOf)
	if err != nil {
		return nil, err
	}

	rows, err := v.find(tx, byDuty, "d.concerns = ? AND d.concerns <> '' AND r.from_position <= ? AND r.to_position > ?",
		of.String(), int64(asOf), int64(asOf))
	if err != nil {
		return nil, err
	}

	for _, o := range rows {
		if o.Opened > at {
			continue
		}
		r.judge(o)
		list = append(list, *o)
	}

	follows := func(o Obligation) int {
		if o.Stream == of.String() {
			return 0
		}
		return 1
	}

	slices.SortFunc(list, func(a, b Obligation) int {
		return cmp.Or(cmp.Compare(follows(a), follows(b)), cmp.Compare(a.OpenedPosition, b.OpenedPosition))
	})
	return list, err
}
