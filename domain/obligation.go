package domain

import (
	"fmt"
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
)

// dutyEvents are the rows of what is owed by a date.
var dutyEvents = []EventRule{
	{Name: "obligation.opened", Event: ObligationOpened{}, Nouns: in(RequestNoun, ObligationNoun), By: ByLedger, Views: InRequests | InFollowUps},
	{Name: "obligation.moved", Event: ObligationMoved{}, Nouns: in(RequestNoun, ObligationNoun), By: ByLedger, Views: InRequests | InFollowUps},
	{Name: "obligation.met", Event: ObligationMet{}, Nouns: in(RequestNoun, ObligationNoun), By: ByOperator, Views: InRequests | InFollowUps},
	{Name: "obligation.voided", Event: ObligationVoided{}, Nouns: in(RequestNoun, ObligationNoun), By: ByOperator, Views: InRequests | InFollowUps},
	{Name: "obligation.at_risk", Event: ObligationAtRisk{}, Nouns: in(RequestNoun, ObligationNoun), By: ByLedger, Views: InRequests | InFollowUps},
	{Name: "obligation.overdue", Event: ObligationOverdue{}, Nouns: in(RequestNoun, ObligationNoun), By: ByLedger, Views: InRequests | InFollowUps},
}

// An Obligation is something owed by a date, on one rule. Those that follow
// from one fact, and those of one request, live in one stream.
type Obligation struct {
	ID      string // within its stream: "reply.cn.policy.request_reply"
	Kind    policy.DutyKind
	Types   []RequestType      // which of the request's it answers; empty: not of a request
	Target  string             // the system or recipient that owes it; empty: the handler
	Rule    deadline.Rule      // whole, as it was: better rules change no obligation
	Version content.Hash       // of the policy that the rule is of; zero: none
	MetBy   []string           // the facts that meet it, beside a reply; see [policy.MeetsBy]
	RuleSet content.Hash       // of the rules that the version has, see [policy.RuleSet]; zero: not said
	Keeps   []policy.PurposeID // to stop or delete: whose data stay all the same, see [PublishedPolicies.Kept]
}

// ObligationOpened records that something is owed from now on. Due is not
// started if its clock has not: the promise stands, its date does not yet.
type ObligationOpened struct {
	Obligation Obligation
	Due        deadline.Due
	Cause      Cause
}

// A Cause is the fact that an obligation follows from. That of a request's own
// is the request.
type Cause struct {
	Event   EventID
	Kind    string // "consent.withdrawn"
	Stream  string // of the fact
	Subject string // the pseudonym of whom it is owed to; empty: nobody in particular
}

// ObligationMoved records that a due date was computed again: what it is, what
// it was, and why. It is recorded also when both are the same.
type ObligationMoved struct {
	ID     string
	Why    MoveReason
	By     EventID // the calendar that was published; else zero
	Due    deadline.Due
	Was    deadline.Due
	Pauses []deadline.Pause // all that this obligation's clock has had
}

// ObligationMet records that what was owed was done. Met is the moment that
// counts: of what has evidence its own, else the later of its two times.
type ObligationMet struct {
	ID       string
	Met      deadline.Instant
	Late     bool
	By       Cause // the fact that met it; zero: somebody said so
	Evidence content.Hash
}

// ObligationVoided records that nothing is owed any more, though nothing was
// done.
type ObligationVoided struct{ ID, Reason string }

// ObligationAtRisk records that little time was left.
type ObligationAtRisk struct {
	ID    string
	Until deadline.Instant // as it was then
}

// ObligationOverdue records that the time was up, and nothing was done.
type ObligationOverdue struct {
	ID    string
	Until deadline.Instant
}

// A MoveReason is why a due date was computed again.
type MoveReason uint8

const (
	MovedStarted MoveReason = iota + 1 // its clock began to run
	MovedPaused
	MovedResumed
	MovedExtended
	MovedCalendar // a calendar was published
)

var moveReasons = form.Codes{"", "started", "paused", "resumed", "extended", "calendar"}

func (m MoveReason) String() string { return moveReasons.Name(uint8(m)) }

// ParseMoveReason reads what [MoveReason.String] writes.
func ParseMoveReason(s string) (MoveReason, error) {
	return form.ParseCode[MoveReason](s, moveReasons, "a reason to compute a due date again")
}

// A DutyState is what became of an obligation.
type DutyState uint8

const (
	DutyOpen DutyState = iota
	DutyMet
	DutyMetLate
	DutyVoid
)

var dutyStates = form.Codes{"open", "met", "met-late", "void"}

func (s DutyState) String() string { return dutyStates.Name(uint8(s)) }

// A Duty is an obligation as it stands.
type Duty struct {
	Obligation
	Due     deadline.Due
	Cause   Cause
	Opened  deadline.Instant // when the ledger took it
	Pauses  []deadline.Pause
	State   DutyState
	Met     deadline.Instant
	Voided  deadline.Instant // when the ledger heard that it is void
	AtRisk  deadline.Instant // the time up to which it was said to be at risk; zero: never
	Overdue deadline.Instant
}

// Duties are the obligations of one stream, in the order of their opening. The
// zero Duties has none. A Duties never changes: Evolve returns another.
type Duties struct{ list []Duty }

// All returns the obligations. The slice is shared: do not change it.
func (d Duties) All() []Duty { return d.list }

// Find returns the obligation of that id, and whether there is one.
func (d Duties) Find(id string) (Duty, bool) {
	for _, x := range d.list {
		if x.ID == id {
			return x, true
		}
	}
	return Duty{}, false
}

// Evolve returns d as it is after f, and whether f is about an obligation.
func (d Duties) Evolve(f Fact) (Duties, bool) { return d.Fold(f, Shared) }

// Fold is [Duties.Evolve] for a caller who owns as much of d as it says.
func (d Duties) Fold(f Fact, own Own) (Duties, bool) {
	switch e := f.Event.(type) {
	case ObligationOpened:
		d.list = Grow(own, d.list, Duty{Obligation: e.Obligation, Due: e.Due, Cause: e.Cause, Opened: f.Recorded})
	case ObligationMoved:
		return d.change(own, e.ID, func(x *Duty) { x.Due, x.Pauses = e.Due, e.Pauses }), true
	case ObligationMet:
		return d.change(own, e.ID, func(x *Duty) {
			x.State, x.Met = DutyMet, e.Met
			if e.Late {
				x.State = DutyMetLate
			}
		}), true
	case ObligationVoided:
		return d.change(own, e.ID, func(x *Duty) { x.State, x.Voided = DutyVoid, f.Recorded }), true
	case ObligationAtRisk:
		return d.change(own, e.ID, func(x *Duty) { x.AtRisk = e.Until }), true
	case ObligationOverdue:
		return d.change(own, e.ID, func(x *Duty) { x.Overdue = e.Until }), true
	default:
		return d, false
	}
	return d, true
}

func (d Duties) change(own Own, id string, change func(*Duty)) Duties {
	if own != Alone {
		d.list = slices.Clone(d.list)
	}
	for i := range d.list {
		if d.list[i].ID == id {
			change(&d.list[i])
		}
	}
	return d
}

// obligationRules are several rules of one duty, which open together.
type obligationRules struct {
	kind    policy.DutyKind
	types   func(deadline.RuleID) []RequestType
	target  string
	rules   []deadline.Rule
	version content.Hash
	suffix  string
	ruleSet content.Hash
}

// open returns the facts of obligations that open: one for every rule.
func (o obligationRules) open(
	start func(deadline.Rule) deadline.Instant, cause Cause, calendars deadline.Calendars,
) ([]Event, error) {
	var events []Event
	for _, r := range o.rules {
		due, err := begin(r, start(r), calendars)
		if err != nil {
			return nil, err
		}
		x := Obligation{ID: o.id(r), Kind: o.kind, Target: o.target, Rule: r, Version: o.version, RuleSet: o.ruleSet}
		if o.types != nil {
			x.Types = o.types(r.ID)
		}
		events = append(events, ObligationOpened{x, due, cause})
	}
	return events, nil
}

// begin returns what a rule comes to from a start; of one that gives no date, that
// its clock never runs.
func begin(r deadline.Rule, start deadline.Instant, calendars deadline.Calendars) (deadline.Due, error) {
	if r.ID.Undated() {
		return deadline.Due{Rule: r.ID, Unit: r.Unit, TimeZone: r.TimeZone}, nil
	}
	return deadline.Compute(r, start, nil, false, calendars)
}

func (o obligationRules) id(r deadline.Rule) string {
	id := string(o.kind)
	if o.target != "" {
		id += "." + o.target
	}
	return id + "." + string(r.ID) + o.suffix
}

// move computes the due dates of open obligations again, of those that pick
// chooses, and returns the facts.
func (d Duties) move(
	why MoveReason, by EventID, calendars deadline.Calendars, pick func(*Duty, *clock) bool,
) ([]Event, error) {
	var events []Event
	for _, x := range d.list {
		c := clock{x.Due.Start, slices.Clone(x.Pauses), x.Due.Extended}
		if x.State != DutyOpen || !pick(&x, &c) {
			continue
		}
		rule := x.Rule
		if slices.ContainsFunc(c.pauses, func(p deadline.Pause) bool { return p.Reason == LegalHold }) {
			rule.Pause = append(slices.Clone(rule.Pause), LegalHold)
		}
		due, err := deadline.Compute(rule, c.start, c.pauses, c.extended, calendars)
		if err != nil {
			return nil, fmt.Errorf("obligation %s: %w", x.ID, err)
		}
		events = append(events, ObligationMoved{ID: x.ID, Why: why, By: by, Due: due, Was: x.Due, Pauses: c.pauses})
	}
	return events, nil
}

// A clock is what a due date is computed from.
type clock struct {
	start    deadline.Instant
	pauses   []deadline.Pause
	extended bool
}

// start starts the clocks that wait for something to happen.
func (d Duties) start(on string, at deadline.Instant, calendars deadline.Calendars) ([]Event, error) {
	return d.move(MovedStarted, EventID{}, calendars, func(x *Duty, c *clock) bool {
		waits := c.start == 0 && x.Rule.ClockStart == on
		c.start = at
		return waits
	})
}

// pause stops the clocks that a reason stops. A clock that stands goes on
// standing.
func (d Duties) pause(reason string, at deadline.Instant, calendars deadline.Calendars) ([]Event, error) {
	return d.move(MovedPaused, EventID{}, calendars, func(x *Duty, c *clock) bool {
		c.pauses = append(c.pauses, deadline.Pause{From: at, Reason: reason})
		return c.start != 0 && slices.Contains(x.Rule.Pause, reason)
	})
}

// resume lets the clocks go on that a reason stopped.
func (d Duties) resume(reason string, at deadline.Instant, calendars deadline.Calendars) ([]Event, error) {
	return d.move(MovedResumed, EventID{}, calendars, func(_ *Duty, c *clock) bool {
		for i, p := range c.pauses {
			if p.To == 0 && p.Reason == reason {
				c.pauses[i].To = max(at, p.From)
				return true
			}
		}
		return false
	})
}

// extend gives the clocks that may be extended their longer period. What is
// extended after its first due date is extended too late.
func (d Duties) extend(told deadline.Instant, calendars deadline.Calendars) ([]Event, error) {
	late := false
	events, err := d.move(MovedExtended, EventID{}, calendars, func(x *Duty, c *clock) bool {
		can := x.Rule.ExtendedLength != 0 && !c.extended
		late = late || can && !x.Due.InTime(told)
		c.extended = true
		return can
	})
	switch {
	case err != nil:
		return nil, err
	case late:
		return nil, refuse(TooLateToExtend,
			"the person must be told of an extension before the first due date, which is over: reply now; if they "+
				"were told in time, name the letter that shows it as evidence")
	case len(events) == 0:
		return nil, refuse(NotExtendable, "no rule of this request can be extended, or it was extended before")
	}
	return events, nil
}

// meet returns the facts that obligations were met, all of those that pick
// chooses.
func (d Duties) meet(met deadline.Instant, by Cause, evidence content.Hash, pick func(Duty) bool) []Event {
	var events []Event
	for _, x := range d.list {
		if x.State == DutyOpen && pick(x) {
			events = append(events, ObligationMet{ID: x.ID, Met: met, Late: !x.Due.InTime(met), By: by,
				Evidence: evidence})
		}
	}
	return events
}

func (d Duties) void(reason string) []Event {
	var events []Event
	for _, x := range d.list {
		if x.State == DutyOpen {
			events = append(events, ObligationVoided{x.ID, reason})
		}
	}
	return events
}

func (ObligationOpened) isEvent()  {}
func (ObligationMoved) isEvent()   {}
func (ObligationMet) isEvent()     {}
func (ObligationVoided) isEvent()  {}
func (ObligationAtRisk) isEvent()  {}
func (ObligationOverdue) isEvent() {}
