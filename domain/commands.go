package domain

import (
	"fmt"
	"reflect"
	"slices"

	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
)

// Commands is the table of all commands, each once.
var Commands = []CommandRule{
	{Command: GiveConsent{}, Nouns: in(ident.SubjectNoun), By: ByApp},
	{Command: RefuseConsent{}, Nouns: in(ident.SubjectNoun), By: ByApp, optOut: anyOf},
	{Command: WithdrawConsent{}, Nouns: in(ident.SubjectNoun), By: ByApp, optOut: anyOf},
	{Command: RequestConsent{}, Nouns: in(ident.SubjectNoun), By: ByApp},
	{Command: AcknowledgePolicy{}, Nouns: in(ident.SubjectNoun), By: ByApp},
	{Command: PresentNotice{}, Nouns: in(ident.SubjectNoun), By: ByApp},
	{Command: ChangePermission{}, Nouns: in(ident.SubjectNoun), By: ByApp, optOut: permissionGone},
	{Command: VoidRecords{}, Nouns: in(ident.SubjectNoun), By: ByOperator},
	{Command: OrderErasure{}, Nouns: in(ident.SubjectNoun), By: ByPublisher, Clamped: true},
	{Command: DiscloseProof{}, Nouns: in(ident.SubjectNoun), By: ByPublisher, Clamped: true},
	{Command: DestroyProof{}, Nouns: in(ident.SubjectNoun), By: ByPublisher, Clamped: true},
	{Command: Say{}, Nouns: in(ident.SubjectNoun, ident.ServiceNoun, ident.PolicyNoun), By: ByKind, Clamped: true},

	{Command: RegisterApp{}, Nouns: in(ident.ServiceNoun), By: ByPublisher},
	{Command: PublishPolicy{}, Nouns: in(ident.PolicyNoun), By: ByPublisher},
	{Command: PublishSurface{}, Nouns: in(ident.SurfaceNoun), By: ByPublisher},
	{Command: PublishCalendar{}, Nouns: in(ident.CalendarNoun), By: ByPublisher},

	{Command: OpenRequest{}, Nouns: in(ident.RequestNoun), By: ByApp, Clamped: true, optOut: asksToWithdraw},
	{Command: TakeStep{}, Nouns: in(ident.RequestNoun, ident.IncidentNoun), By: ByOperator, Clamped: true},
	{Command: OweAgain{}, Nouns: in(ident.RequestNoun), By: ByLedger, Clamped: true},

	{Command: OpenDuties{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByLedger, Clamped: true},
	{Command: MeetObligation{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByOperator, Clamped: true},
	{Command: VoidObligation{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByOperator, Clamped: true},
	{Command: MoveObligations{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByLedger, Clamped: true},
	{Command: StartObligation{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByLedger, Clamped: true},
	{Command: WarnObligation{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByLedger, Clamped: true},
	{Command: HoldObligation{}, Nouns: in(ident.RequestNoun, ident.ObligationNoun), By: ByLedger, Clamped: true},
}

// A CommandRule is a row of [Commands].
type CommandRule struct {
	Command Command      // an empty one
	Nouns   []ident.Noun // which nouns take it
	By      Sender       // who may send it; of [Say]: by the row of what is said
	Clamped bool         // a time to come that it claims is now, as that of every opt-out

	optOut func(Command) bool // whether it is an opt-out; nil: never
}

// commandRuleOf returns the row of a command.
func commandRuleOf(cmd Command) *CommandRule {
	if r := ruleOfCommand[reflect.TypeOf(cmd)]; r != nil {
		return r
	}
	panic(fmt.Sprintf("domain: command %T has no row in Commands", cmd))
}

var ruleOfCommand = func() map[reflect.Type]*CommandRule {
	m := make(map[reflect.Type]*CommandRule, len(Commands))
	for i := range Commands {
		m[reflect.TypeOf(Commands[i].Command)] = &Commands[i]
	}
	return m
}()

func anyOf(Command) bool { return true }

func permissionGone(cmd Command) bool { return cmd.(ChangePermission).Change != Granted }

func asksToWithdraw(cmd Command) bool {
	return slices.Contains(cmd.(OpenRequest).Types, request.Withdraw)
}

// TakesAway reports whether cmd refuses or withdraws. Such a command is never refused for its
// time, whoever had the person's outside id then. What ends a history, or the
// part of somebody in it, is none: it is about who is meant, not about what may
// be done.
func TakesAway(cmd Command) bool {
	optOut := commandRuleOf(cmd).optOut
	return optOut != nil && optOut(cmd)
}

// IsOptOut reports whether a command is an opt-out: it takes away, or the
// person objects to a decision by a machine. What stands beside it does not refuse it.
func IsOptOut(cmd Command) bool {
	if say, ok := cmd.(Say); ok {
		if note, ok := say.Event.(Noted); ok {
			rule, _ := catalog.NoteRuleOf(note.Kind)
			return rule.OptOut
		}
	}
	return TakesAway(cmd)
}

// Clamp returns the time that a fact carries for what its source claims: an opt-out
// from the future is from now, with the claim kept beside it. A claim of
// nothing is now.
func Clamp(cmd Command, claimed, recorded deadline.Instant) (at, kept deadline.Instant) {
	switch {
	case claimed == 0:
		return recorded, 0
	case claimed <= recorded:
		return claimed, 0
	case commandRuleOf(cmd).Clamped || TakesAway(cmd):
		return recorded, claimed
	}
	return claimed, 0
}

// CheckSender refuses what no app may say.
func CheckSender(b ident.By, cmd Command) error {
	by := commandRuleOf(cmd).By
	if say, says := cmd.(Say); says {
		by = RuleOf(say.Event).By
	}
	if b.App && by != ByApp && by != ByKind {
		return errNotForApps
	}
	return nil
}

var errNotForApps = refusal.New(refusal.NotForApps,
	"this is recorded by an operator, never by an app; see consentledger record --operator")

// NotTaken refuses a command that a noun does not take. If its row says that the noun
// does, this program is mistaken.
func NotTaken(cmd Command, noun ident.Noun, text string) error {
	if slices.Contains(commandRuleOf(cmd).Nouns, noun) {
		panic(fmt.Sprintf("domain: command %T has no case in the Decide of a %s stream", cmd, noun))
	}
	return refusal.New(refusal.WrongStream, text)
}
