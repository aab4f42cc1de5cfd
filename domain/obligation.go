package domain

import (
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
)

// dutyEvents are the rows of what is owed by a date.
var dutyEvents = []EventRule{
	{Name: "obligation.opened", Event: ObligationOpened{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByLedger, Views: InRequests | InFollowUps},
	{Name: "obligation.moved", Event: ObligationMoved{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByLedger, Views: InRequests | InFollowUps},
	{Name: "obligation.met", Event: ObligationMet{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByOperator, Views: InRequests | InFollowUps},
	{Name: "obligation.voided", Event: ObligationVoided{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByOperator, Views: InRequests | InFollowUps},
	{Name: "obligation.at_risk", Event: ObligationAtRisk{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByLedger, Views: InRequests | InFollowUps},
	{Name: "obligation.overdue", Event: ObligationOverdue{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByLedger, Views: InRequests | InFollowUps},
}

// ObligationOpened records that something is owed from now on. Due is not
// started if its clock has not: the promise stands, its date does not yet.
type ObligationOpened obligation.Opened

// ObligationMoved records that a due date was computed again: what it is, what
// it was, and why. It is recorded also when both are the same.
type ObligationMoved obligation.Moved

// ObligationMet records that what was owed was done. Met is the moment that
// counts: of what has evidence its own, else the later of its two times.
type ObligationMet obligation.Met

// ObligationVoided records that nothing is owed any more, though nothing was
// done.
type ObligationVoided obligation.Voided

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

func (ObligationOpened) isEvent()  {}
func (ObligationMoved) isEvent()   {}
func (ObligationMet) isEvent()     {}
func (ObligationVoided) isEvent()  {}
func (ObligationAtRisk) isEvent()  {}
func (ObligationOverdue) isEvent() {}
