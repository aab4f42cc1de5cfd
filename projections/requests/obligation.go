package requests

import (
	"fmt"
	"slices"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
)

// An Obligation is one line of the report: something owed by a date, as facts
// say. State and Left are as of the moment that was asked about.
type Obligation struct {
	App    ident.AppName `json:"-"`
	Stream string        `json:"-"`
	ID     string        `json:"-"`
	State  State         `json:"-"`
	Left   int           `json:"-"` // working days after today up to the due date; below zero when it is over
	Counts bool          `json:"-"` // whether Left says something

	Kind      policy.DutyKind
	Types     []string
	Target    string
	Rule      deadline.RuleID
	Source    string
	Law       bool
	Version   string // of the policy
	RuleSet   string
	Keeps     []string // to stop or delete: whose data stay all the same, see [domain.Reference.Kept]
	CauseKind string
	Clock     string // see [batch.clock]

	kept

	of      *class              // what it has in common with others
	duty    int64               // its number
	row     int64               // the number of this row of it; zero: it has none yet
	from    eventstore.Position // where the row begins
	counted countKey            // where it is counted, if the row is the newest
}

// A class is what many obligations have in common: a row of the table sorts.
type class struct {
	number int64
	common
}

// common is a class's columns, to be compared.
type common struct {
	app       ident.AppName
	id        string // of the obligation within its stream
	kind      policy.DutyKind
	types     string // see [listOf]
	target    string
	rule      deadline.RuleID
	source    string
	law       bool
	version   string
	ruleSet   string
	keeps     string // see [listOf]
	causeKind string
	clock     string
	month     string // of opening, where the rule is
}

// describe tells an obligation of a class what it has in common with others.
func (s *class) describe(o *Obligation) {
	o.App, o.ID, o.Kind, o.Types, o.Target, o.Rule, o.Source, o.Law = s.app, s.id, s.kind, wordsOf(s.types), s.target, s.rule, s.source, s.law
	o.Version, o.RuleSet, o.Keeps, o.CauseKind, o.Clock, o.of = s.version, s.ruleSet, wordsOf(s.keeps), s.causeKind, s.clock, s
}

// kept is what is kept of an obligation beside its [class], in the tables duties,
// duty_rows and duty_moves.
type kept struct {
	Person string // a pseudonym
	Test   bool

	CauseEvent  string
	CauseStream string

	Opened         deadline.Instant
	OpenedPosition eventstore.Position
	Due            Due
	Held           bool     // a legal hold stops it
	Waits          string   // what its clock starts with, if it has not started
	Stands         []string // the reasons for which its clock stands still
	StandsSince    deadline.Instant
	Moves          []Move
	Binding        bool
	Exceeds        bool // a promise later than a law's ceiling

	Outcome         State            // met, met late or void; zero: none of them
	Settled         deadline.Instant // when it became so
	SettledPosition eventstore.Position
	Met             deadline.Instant // the moment that counts
	Claimed         deadline.Instant // what the source of it said
	MetBy           string
	Evidence        string
	Reason          string // why it is void
	Days            int    // working days from day zero until it was met; -1: not met, or not started

	AtRisk  deadline.Instant // when it was said to be so
	Overdue deadline.Instant
	Changed deadline.Instant
	Events  []string // that prove it, in their order

	Revision int // how many rows there were of it, this one included
}

// A Due is the due date that the newest fact holds.
type Due struct {
	Phase       deadline.DueState
	Start       deadline.Instant
	DayZero     deadline.Date
	Date        deadline.Date    // zero for rules in hours
	Day         deadline.Date    // the local date of the end, also for rules in hours
	Until       deadline.Instant // the exclusive bound; for hours the due instant itself
	Over        deadline.Instant // the first instant that is too late; [Never] if there is none
	Risk        deadline.Instant // from when on little time is left; [Never] if there is none
	Unit        string
	TimeZone    string
	Provisional bool
	Gap         deadline.Date
	Safe        deadline.Date
	TailExposed bool
	Extended    bool
	Elapsed     int64
	Remaining   int64
	Counted     string // what those two count
	Calendars   []string
}

// Reported reports whether the date rests on days that somebody reports and no
// notice has announced; see [deadline.CalendarVersion].
func (d Due) Reported() bool {
	return slices.ContainsFunc(d.Calendars, func(c string) bool { return strings.HasSuffix(c, " reported") })
}

// Never is when something is late that has no due date: after all that has one.
const Never deadline.Instant = 1<<63 - 1

// A Move is a due date that was computed again.
type Move struct {
	Why      string
	By       string // the calendar's event
	Event    string
	Recorded deadline.Instant
	Was      deadline.Date // zero: it had none
	WasUntil deadline.Instant
	Is       deadline.Date
	IsUntil  deadline.Instant
}

// dueOf returns what to keep of a due date.
func dueOf(d deadline.Due) (Due, error) {
	zone, err := deadline.ParseZone(d.TimeZone)
	if err != nil {
		return Due{}, err
	}

	out := Due{
		Phase:       d.State,
		Start:       d.Start,
		DayZero:     d.DayZero,
		Date:        d.Date,
		Day:         d.Date,
		Until:       d.Until,
		Over:        Never,
		Unit:        d.Unit.String(),
		TimeZone:    d.TimeZone,
		Provisional: d.Provisional,
		Gap:         d.Gap,
		Safe:        d.SafeTarget,
		TailExposed: d.TailExposed,
		Extended:    d.Extended,
		Elapsed:     d.Elapsed,
		Remaining:   d.Remaining,
	}
	switch {
	case d.State == deadline.Suspended:
		out.Counted = d.Counted().String()
	case d.State == deadline.Running && d.Unit == deadline.UnitHour:
		out.Over, out.Day = d.Until+1, zone.Date(d.Until)
	case d.State == deadline.Running:
		out.Over = d.Until
	}

	for _, v := range d.Versions {
		out.Calendars = append(out.Calendars, v.String())
	}
	return out, nil
}

// A State is what is to be said of an obligation at a moment. They are in the
// order in which somebody who is to work on them wants to see them.
type State int8

const (
	StateOverdue State = iota + 1
	StateAtRisk        // open, and little time is left; see [deadline.Due.RiskAt]
	StateOpen
	StatePaused
	StateHeld // a legal hold keeps what is to be deleted
	StateNotStarted
	StateMetLate
	StateMet
	StateVoid
)

var states = [...]string{"", "overdue", "at-risk", "open", "paused", "held", "not-started", "met-late", "met", "void"}

func (s State) String() string { return states[s] }

// ParseState reads what [State.String] writes.
func ParseState(text string) (State, error) {
	for i, name := range states {
		if text == name && i > 0 {
			return State(i), nil
		}
	}
	return 0, fmt.Errorf("a state is one of overdue, at-risk, open, paused, held, not-started, met-late, met, void")
}

// rivals reports whether two obligations of a stream are about the same thing
// at the same time: of one kind and target, in answer to a same type, and the
// one was open when the other opened.
func (o *Obligation) rivals(x *Obligation) bool {
	return o != x && o.Kind == x.Kind && o.Target == x.Target && o.Outcome != StateVoid && x.Outcome != StateVoid &&
		(o.SettledPosition == 0 || o.SettledPosition > x.OpenedPosition) &&
		(x.SettledPosition == 0 || x.SettledPosition > o.OpenedPosition)
}

// rank says of every obligation of a stream whether it binds: whether no other
// is earlier that answers a same type. One message may ask for several things,
// and each has its own earliest date; a request that was opened again has new
// ones. A promise exceeds the law if it is later than a law's rule beside it.
func rank(list []*Obligation) {
	for i, o := range list {
		types := o.Types
		if len(types) == 0 {
			types = []string{""}
		}
		o.Binding, o.Exceeds = false, false
		for _, t := range types {
			first := o.Due.Phase == deadline.Running && o.Outcome != StateVoid
			for j, x := range list {
				if !o.rivals(x) || !x.answers(t) || x.Due.Phase != deadline.Running {
					continue
				}
				first = first && (o.Due.Over < x.Due.Over || o.Due.Over == x.Due.Over && i < j)
				o.Exceeds = o.Exceeds || !o.Law && x.Law && o.Due.Phase == deadline.Running && o.Due.Over > x.Due.Over
			}
			o.Binding = o.Binding || first
		}
	}

	for i, o := range list {
		o.Binding = o.Binding || o.alone(i, list)
	}
}

// alone reports whether a reply that is open without a date is all that is owed of
// one of its types: then it binds, though nobody can say until when. Whoever asks
// for what binds finds it.
func (o *Obligation) alone(place int, list []*Obligation) bool {
	if o.Outcome != 0 || o.Due.Phase == deadline.Running {
		return false
	}
	return slices.ContainsFunc(o.Types, func(t string) bool {
		for i, x := range list {
			if o.rivals(x) && x.answers(t) && (x.Due.Phase == deadline.Running || i < place) {
				return false
			}
		}
		return true
	})
}

func (o *Obligation) answers(t string) bool {
	if len(o.Types) == 0 || t == "" {
		return true
	}
	for _, x := range o.Types {
		if x == t {
			return true
		}
	}
	return false
}
