package domain

import (
	"slices"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/internal/form"
)

// A DutyRule says what is owed when something happened, beside replies to
// requests, which [Right] says.
type DutyRule struct {
	ID      string
	Section string   // of the policy or the law
	On      []string // the kinds of facts that open it: "consent.withdrawn"
	When    []Field  // members that such a fact must have; "|" stands between values
	Kind    DutyKind
	Rules   []deadline.RuleID // all open; the earliest binds
	Start   string            // when the clock starts, see [StartOwn]
	Each    DutyEach
	MetBy   []string // the facts that meet it, see [MeetsBy]
	Renews  bool     // a fact that opens it takes the place of the one before: what that opened is void
}

// When the clock of a duty starts. A name with a dot in it is a kind of fact:
// the first of that kind in the stream, as when an incident was detected; any
// other is the member with the date.
const (
	StartOwn    = ""       // at the time of the fact that opens it
	StartStream = "stream" // at that of the first fact of its stream
)

// Opens reports whether a fact of a kind, with these members, opens the duty.
func (d DutyRule) Opens(kind string, members []Field) bool {
	return slices.Contains(d.On, kind) && !slices.ContainsFunc(d.When, func(w Field) bool {
		return !slices.Contains(strings.Split(w.Value, "|"), fieldOf(members, w.Name))
	})
}

// MeetsBy reports whether a fact of a kind, with these members, is one of those
// that meet a duty. Each of them is a kind, and after it the members that such a
// fact must have: "audit.finished minors=yes".
func MeetsBy(metBy []string, kind string, members []Field) bool {
	return slices.ContainsFunc(metBy, func(one string) bool {
		name, wants, _ := strings.Cut(one, " ")
		return name == kind && !slices.ContainsFunc(strings.Fields(wants), func(want string) bool {
			member, value, _ := strings.Cut(want, "=")
			return fieldOf(members, member) != value
		})
	})
}

// DutyEach says how often a duty is owed for one fact.
type DutyEach uint8

const (
	DutyOnce       DutyEach = iota
	DutyEachSystem          // by every system and recipient that has the purposes' data
)

var dutyEaches = form.Codes{"once", "system"}

func (e DutyEach) String() string { return dutyEaches.Name(uint8(e)) }

// ParseDutyEach reads what [DutyEach.String] writes.
func ParseDutyEach(s string) (DutyEach, error) {
	return form.ParseCode[DutyEach](s, dutyEaches, "how often a duty is owed")
}

// OpenDuties asks to record what follows from a fact.
type OpenDuties struct {
	Cause  Cause
	Rule   DutyRule
	Start  deadline.Instant
	Target []string // for duties of every system: who owes them; empty: the handler alone
	Rules  []deadline.Rule
	Policy Hash        // the version that has the rule
	Held   bool        // a legal hold keeps the data: the clocks stand still from their start
	Keeps  []PurposeID // whose data stay, see [Reference.Kept]
}

// MeetObligation asks to record that what was owed was done. By a fact of the
// log, it was done when that fact says, which is the time of the command; else
// when somebody says so, by the later of the two times.
type MeetObligation struct {
	ID       string
	By       Cause
	Evidence Hash
}

// VoidObligation asks to record that nothing is owed any more.
type VoidObligation struct{ ID, Reason string }

// MoveObligations asks to compute the stream's open due dates again, since a
// calendar was published.
type MoveObligations struct{ Calendar EventID }

// StartObligation asks to compute a due date from an earlier start: what the
// clock runs from happened sooner than was known. A later one is no news: a date
// that somebody was promised does not move away because of what arrives late.
type StartObligation struct {
	ID    string
	Start deadline.Instant
}

// WarnObligation asks to record that an obligation is at risk, or overdue. Of
// one whose due date has moved on since it is no news.
type WarnObligation struct {
	ID      string
	Until   deadline.Instant
	Overdue bool
}

func (OpenDuties) isCommand()      {}
func (MeetObligation) isCommand()  {}
func (VoidObligation) isCommand()  {}
func (MoveObligations) isCommand() {}
func (StartObligation) isCommand() {}
func (WarnObligation) isCommand()  {}

// Decide answers commands about obligations. At is when it happened, as its
// source says.
func (d Duties) Decide(cmd Command, ref Reference, at, recorded deadline.Instant) ([]Event, error) {
	if err := ref.By.checkDoor(cmd); err != nil {
		return nil, err
	}
	switch cmd := cmd.(type) {
	case OpenDuties:
		return d.openDuties(cmd, ref)
	case MeetObligation:
		x, err := d.open(cmd.ID)
		if err == nil {
			err = cmd.checkDate(x, at)
		}
		if err != nil {
			return nil, err
		}
		return d.meet(cmd.metAt(at, recorded), cmd.By, cmd.Evidence, func(x Duty) bool { return x.ID == cmd.ID }), nil
	case VoidObligation:
		if _, err := d.open(cmd.ID); err != nil {
			return nil, err
		}
		return one(ObligationVoided(cmd), reasoned(cmd.Reason))
	case MoveObligations:
		return d.move(MovedCalendar, cmd.Calendar, ref.Calendars, func(x *Duty, c *clock) bool { return c.start != 0 })
	case StartObligation:
		return d.move(MovedStarted, EventID{}, ref.Calendars, func(x *Duty, c *clock) bool {
			sooner := x.ID == cmd.ID && cmd.Start != 0 && (c.start == 0 || cmd.Start < c.start)
			c.start = cmd.Start
			return sooner
		})
	case WarnObligation:
		return d.warn(cmd)
	case HoldObligation:
		return d.hold(cmd, min(at, recorded), ref.Calendars)
	}
	return nil, refuse(WrongStream, "this is not about an obligation")
}

func (d Duties) openDuties(cmd OpenDuties, ref Reference) ([]Event, error) {
	if len(d.list) > 0 && slices.ContainsFunc(d.list, func(x Duty) bool { return x.Cause.Event != cmd.Cause.Event }) {
		return nil, refuse(WrongStream, "these obligations follow from another fact")
	}
	targets := cmd.Target
	if cmd.Rule.Each == DutyOnce {
		targets = []string{""}
	}
	var events []Event
	for _, rule := range cmd.Rules {
		w := Owing{
			Kind: cmd.Rule.Kind, Rule: rule, Version: cmd.Policy, RuleSet: ref.Policies.RuleSet(cmd.Policy), MetBy: cmd.Rule.MetBy, Keeps: cmd.Keeps,
		}
		if err := w.begin(cmd.Start, cmd.Held, ref.Calendars); err != nil {
			return nil, err
		}
		w.Targets = slices.DeleteFunc(slices.Clone(targets), func(target string) bool {
			_, there := d.Find(w.id(target))
			return there
		})
		events = append(events, w.Events(cmd.Cause)...)
	}
	return events, nil
}

// checkDate refuses that somebody says of what was owed that it was done before
// it was. What a notice announces comes after it.
func (m MeetObligation) checkDate(x Duty, at deadline.Instant) error {
	if m.By.Event != (EventID{}) || x.Rule.Direction == deadline.Backward || at >= x.Due.Start {
		return nil
	}
	return refuseAt(IllegalMove, "time", "that is dated before it was owed, which it is since "+x.Due.Start.String())
}

// metAt returns the moment that counts. How late the ledger followed up on a
// fact makes nothing late.
func (m MeetObligation) metAt(at, recorded deadline.Instant) deadline.Instant {
	if m.By.Event != (EventID{}) {
		return min(at, recorded)
	}
	return doneAt(at, recorded, m.Evidence)
}

// doneAt returns the moment that counts for something that was owed: the later
// of its two times, unless there is evidence of its own.
func doneAt(at, recorded deadline.Instant, evidence Hash) deadline.Instant {
	if evidence != (Hash{}) {
		return min(at, recorded)
	}
	return max(at, recorded)
}

// open returns an obligation that is open.
func (d Duties) open(id string) (Duty, error) {
	x, ok := d.Find(id)
	switch {
	case !ok:
		return x, refuseAt(UnknownObligation, "data.obligation", "there is no obligation of that id here")
	case x.State != DutyOpen:
		return x, refuseAt(IllegalMove, "data.obligation", "the obligation is closed: it is "+x.State.String())
	}
	return x, nil
}

func (d Duties) warn(cmd WarnObligation) ([]Event, error) {
	x, ok := d.Find(cmd.ID)
	switch {
	case !ok || x.State != DutyOpen || x.Due.State != deadline.Running || x.Due.Until != cmd.Until:
		return nil, nil
	case x.Kind == DutyKeep && cmd.Overdue:
		return []Event{ObligationMet{ID: cmd.ID, Met: cmd.Until}}, nil // kept for as long as it had to be
	case x.Kind == DutyKeep:
		return nil, nil
	case cmd.Overdue && x.Overdue != cmd.Until:
		return []Event{ObligationOverdue{cmd.ID, cmd.Until}}, nil
	case !cmd.Overdue && x.AtRisk != cmd.Until && x.Overdue != cmd.Until:
		return []Event{ObligationAtRisk{cmd.ID, cmd.Until}}, nil
	}
	return nil, nil
}
