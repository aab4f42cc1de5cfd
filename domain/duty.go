package domain

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
)

// OpenDuties asks to record what follows from a fact.
type OpenDuties struct {
	Cause  obligation.Cause
	Rule   policy.DutyRule
	Start  deadline.Instant
	Target []string // for duties of every system: who owes them; empty: the handler alone
	Rules  []deadline.Rule
	Policy content.Hash       // the version that has the rule
	Held   bool               // a legal hold keeps the data: the clocks stand still from their start
	Keeps  []policy.PurposeID // whose data stay, see [published.Policies.Kept]
}

// MeetObligation asks to record that what was owed was done. By a fact of the
// log, it was done when that fact says, which is the time of the command; else
// when somebody says so, by the later of the two times.
type MeetObligation struct {
	ID       string
	By       obligation.Cause
	Evidence content.Hash
}

// VoidObligation asks to record that nothing is owed any more.
type VoidObligation struct{ ID, Reason string }

// MoveObligations asks to compute the stream's open due dates again, since a
// calendar was published.
type MoveObligations struct{ Calendar ident.EventID }

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
