package obligation

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form"
	"consentledger/domain/lists"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
)

// An Obligation is something owed by a date, on one rule. Those that follow
// from one fact, and those of one request, live in one stream.
type Obligation struct {
	ID      string // within its stream: "reply.cn.policy.request_reply"
	Kind    policy.DutyKind
	Types   []request.Type     // which of the request's it answers; empty: not of a request
	Target  string             // the system or recipient that owes it; empty: the handler
	Rule    deadline.Rule      // whole, as it was: better rules change no obligation
	Version content.Hash       // of the policy that the rule is of; zero: none
	MetBy   []string           // the facts that meet it, beside a reply; see [policy.MeetsBy]
	RuleSet content.Hash       // of the rules that the version has, see [policy.RuleSet]; zero: not said
	Keeps   []policy.PurposeID // to stop or delete: whose data stay all the same, see [published.Policies.Kept]
}

// An Opened is something that is owed from now on. Due is not
// started if its clock has not: the promise stands, its date does not yet.
type Opened struct {
	Obligation Obligation
	Due        deadline.Due
	Cause      Cause
}

// A Cause is the fact that an obligation follows from. That of a request's own
// is the request.
type Cause struct {
	Event   ident.EventID
	Kind    string // "consent.withdrawn"
	Stream  string // of the fact
	Subject string // the pseudonym of whom it is owed to; empty: nobody in particular
}

// A Moved is a due date that was computed again: what it is, what it was, and
// why. Both may be the same.
type Moved struct {
	ID     string
	Why    MoveReason
	By     ident.EventID // the calendar that was published; else zero
	Due    deadline.Due
	Was    deadline.Due
	Pauses []deadline.Pause // all that this obligation's clock has had
}

// A Met is one of which what was owed was done. Met is the moment that
// counts: of what has evidence its own, else the later of its two times.
type Met struct {
	ID       string
	Met      deadline.Instant
	Late     bool
	By       Cause // the fact that met it; zero: somebody said so
	Evidence content.Hash
}

// A Voided is one of which nothing is owed any more, though nothing was done.
type Voided struct{ ID, Reason string }

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

// A State is what became of an obligation.
type State uint8

const (
	StateOpen State = iota
	StateMet
	StateMetLate
	StateVoid
)

var dutyStates = form.Codes{"open", "met", "met-late", "void"}

func (s State) String() string { return dutyStates.Name(uint8(s)) }

// A Duty is an obligation as it stands.
type Duty struct {
	Obligation
	Due     deadline.Due
	Cause   Cause
	Opened  deadline.Instant // when the ledger took it
	Pauses  []deadline.Pause
	State   State
	Met     deadline.Instant
	Voided  deadline.Instant // when the ledger heard that it is void
	AtRisk  deadline.Instant // the time up to which it was said to be at risk; zero: never
	Overdue deadline.Instant
}

// Duties are the obligations of one stream, in the order of their opening. The
// zero DutyList has none. A Duties never changes: each fact makes another.
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

// With returns d with one more obligation, for a caller who owns as much of d as it says.
// So it is with what follows.
func (d Duties) With(own lists.Own, o Opened, recorded deadline.Instant) Duties {
	d.list = lists.Add(own, d.list, Duty{Obligation: o.Obligation, Due: o.Due, Cause: o.Cause, Opened: recorded})
	return d
}

// Moved returns d as it is after a due date was computed again.
func (d Duties) Moved(own lists.Own, m Moved) Duties {
	return d.change(own, m.ID, func(x *Duty) { x.Due, x.Pauses = m.Due, m.Pauses })
}

// Met returns d as it is after what was owed was done.
func (d Duties) Met(own lists.Own, m Met) Duties {
	return d.change(own, m.ID, func(x *Duty) {
		x.State, x.Met = StateMet, m.Met
		if m.Late {
			x.State = StateMetLate
		}
	})
}

// Voided returns d as it is after the ledger heard that something is owed no more.
func (d Duties) Voided(own lists.Own, v Voided, recorded deadline.Instant) Duties {
	return d.change(own, v.ID, func(x *Duty) { x.State, x.Voided = StateVoid, recorded })
}

// Warned returns d as it is after somebody was warned that a due date comes near.
func (d Duties) Warned(own lists.Own, id string, until deadline.Instant) Duties {
	return d.change(own, id, func(x *Duty) { x.AtRisk = until })
}

// Overdue returns d as it is after a due date went by.
func (d Duties) Overdue(own lists.Own, id string, until deadline.Instant) Duties {
	return d.change(own, id, func(x *Duty) { x.Overdue = until })
}

func (d Duties) change(own lists.Own, id string, change func(*Duty)) Duties {
	if own != lists.Alone {
		d.list = slices.Clone(d.list)
	}
	for i := range d.list {
		if d.list[i].ID == id {
			change(&d.list[i])
		}
	}
	return d
}

// Open returns an obligation that is open.
func (d Duties) Open(id string) (Duty, error) {
	x, ok := d.Find(id)
	switch {
	case !ok:
		return x, refusal.At(refusal.UnknownObligation, "data.obligation", "there is no obligation of that id here")
	case x.State != StateOpen:
		return x, refusal.At(refusal.IllegalMove, "data.obligation",
			"the obligation is closed: it is "+x.State.String())
	}
	return x, nil
}

// Binding returns the due date that binds of a reply to a type, and whether one
// runs.
func (d Duties) Binding(t request.Type) (deadline.Due, bool) {
	var dues []deadline.Due
	for _, x := range d.list {
		if x.State == StateOpen && x.Kind == policy.DutyReply && slices.Contains(x.Types, t) {
			dues = append(dues, x.Due)
		}
	}
	i := deadline.Binding(dues)
	if i < 0 {
		return deadline.Due{}, false
	}
	return dues[i], true
}
