package domain

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
)

// personEvents are the rows of what is found out or decided about a person.
var personEvents = []EventRule{
	{Name: "record.voided", Event: RecordVoided{}, Nouns: in(ident.SubjectNoun), By: ByOperator, Views: InConsents | InRequests | InReport | InFollowUps, lasts: lastsAsVoid},
	{Name: "record.disputed", Event: RecordDisputed{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InReport},
	{Name: "exemption.invoked", Event: ExemptionInvoked{}, Nouns: in(ident.SubjectNoun, ident.ServiceNoun), By: ByOperator, Views: InReport,
		purposes: names(func(e ExemptionInvoked) []policy.PurposeID { return e.Purposes })},
	{Name: "exemption.ended", Event: ExemptionEnded{}, Nouns: in(ident.SubjectNoun, ident.ServiceNoun), By: ByOperator, Views: InReport, lasts: lastsAsEnd},
	{Name: "hold.placed", Event: HoldPlaced{}, Nouns: in(ident.SubjectNoun), By: ByOperator, Views: InFollowUps, lasts: lastsByItself,
		check: must(func(e HoldPlaced) error { return CheckReason(e.Reason) })},
	{Name: "hold.released", Event: HoldReleased{}, Nouns: in(ident.SubjectNoun), By: ByOperator, Views: InFollowUps,
		check: must(func(e HoldReleased) error { return CheckReason(e.Reason) })},
	{Name: "restriction.applied", Event: RestrictionApplied{}, Nouns: in(ident.SubjectNoun), By: ByOperator, lasts: lastsByItself,
		check: must(func(e RestrictionApplied) error { return CheckReason(e.Reason) })},
	{Name: "restriction.lifted", Event: RestrictionLifted{}, Nouns: in(ident.SubjectNoun), By: ByOperator,
		check: must(func(e RestrictionLifted) error { return CheckReason(e.Reason) })},
	{Name: "age.recorded", Event: AgeRecorded{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents | InReport | InFollowUps},
	{Name: "minor.found", Event: MinorDataFound{}, Nouns: in(ident.SubjectNoun), By: ByLedger, Views: InReport, Idle: true, lasts: lastsAsDuty},
	{Name: "guardian.verified", Event: GuardianVerified{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents | InReport, check: must(GuardianVerified.check)},
	{Name: "guardian.ended", Event: GuardianEnded{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InReport, lasts: lastsAsEnd},
	{Name: "subject.linked", Event: SubjectLinked{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents},
	{Name: "subject.unlinked", Event: SubjectUnlinked{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents},
	{Name: "subject.reassigned", Event: SubjectReassigned{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents | InReport | InFollowUps, lasts: lastsAsHistory},
	{Name: "subject.closed", Event: SubjectClosed{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents | InReport | InFollowUps, lasts: lastsAsHistory},
	{Name: "subject.test", Event: SubjectMarkedTest{}, Nouns: in(ident.SubjectNoun), By: ByApp, Views: InConsents | InRequests,
		check: must(func(e SubjectMarkedTest) error { return CheckReason(e.Reason) })},
	{Name: "erasure.ordered", Event: ErasureOrdered{}, Nouns: in(ident.SubjectNoun), By: ByPublisher, Views: InConsents | InReport | InFollowUps},
	{Name: "subject.erased", Event: SubjectErased{}, Nouns: in(ident.SubjectNoun), By: ByLedger, Views: InReport},
	{Name: "proof.disclosed", Event: ProofDisclosed{}, Nouns: in(ident.SubjectNoun), By: ByPublisher},
	{Name: "destruction.ordered", Event: DestructionOrdered{}, Nouns: in(ident.SubjectNoun), By: ByPublisher},
	{Name: "proof.destroyed", Event: ProofDestroyed{}, Nouns: in(ident.SubjectNoun), By: ByLedger},
}

// RecordVoided records that facts of this stream were recorded by mistake. A
// voided grant is gone; a voided opt-out still stands in the way of the grant before it.
// Of other facts see [refusal.Code] NotVoidable: some have a way of their own to end.
type RecordVoided struct {
	Records  []ident.EventID
	Reason   string // a code, not a story: it is public
	Evidence content.Hash
	By       [2]string // two principals
}

// RecordDisputed records that somebody says a fact of this stream is wrong.
// The fact stands until it is voided.
type RecordDisputed struct {
	Records  []ident.EventID
	Reason   string
	Evidence content.Hash
}

// ExemptionInvoked records that the handler processes without consent, on a
// ground of its policy. It never overrides an opt-out.
type ExemptionInvoked struct {
	List          ExemptionList
	Code          string
	Doubtful      bool // the law does not clearly admit the ground
	Purposes      []policy.PurposeID
	Actions       []policy.Action // empty: all
	Justification Personal
	Reason        string // the justification's code, public
	Approver      string
	Until         deadline.Instant
}

// ExemptionEnded records that an exemption was given up.
type ExemptionEnded struct{ Exemption ident.EventID }

// HoldPlaced records a legal hold: the data stay, and are not processed.
type HoldPlaced struct{ Reason, Authority string }

// HoldReleased records the end of every legal hold on the person's data.
type HoldReleased struct{ Reason string }

// RestrictionApplied records that the data are stored and protected, and
// nothing else (PIPL 47).
type RestrictionApplied struct{ Reason string }

// RestrictionLifted records the end of a restriction.
type RestrictionLifted struct{ Reason string }

// AgeRecorded records what band of age a person is in.
type AgeRecorded struct {
	Band      AgeBand
	Basis     string // how it is known, by a code: declared, identity-check, guardian, birthday
	BirthDate Personal
}

// MinorDataFound records that data of a child are there without a guardian's
// consent: they must be deleted (PIPL 31; policy VIII(5)).
type MinorDataFound struct{ Band AgeBand }

// GuardianVerified records that somebody is the person's guardian.
type GuardianVerified struct {
	Guardian GuardianRef
	Proof    Proof
	Identity Personal // the guardian's
}

// GuardianEnded records that somebody is not the person's guardian any more.
type GuardianEnded struct {
	Guardian GuardianRef
	Reason   string
}

// SubjectLinked records that another history is of the same person. An opt-out
// crosses at once, a grant only when it is confirmed.
type SubjectLinked struct {
	Other    string // the other's pseudonym
	Proof    string // how it is known, by a code: login, same-device, operator
	Evidence content.Hash
}

// SubjectUnlinked records that the link is over: a logout, or a mistake. What
// had crossed stays.
type SubjectUnlinked struct {
	Other  string
	Reason string
}

// SubjectReassigned records that the outside id of this history has become
// somebody else's. It ends everything: the next who comes with it is new.
type SubjectReassigned struct{ Reason string }

// SubjectClosed records that the account was deleted. It ends everything: who
// registers again is a new person.
type SubjectClosed struct{ Reason string }

// SubjectMarkedTest records that this is no person. Reports leave it out.
type SubjectMarkedTest struct{ Reason string }

// CheckAnswered records that somebody asked whether something may be done, and
// was answered.
type CheckAnswered struct {
	Purpose   policy.PurposeID
	Action    policy.Action
	Valid     deadline.Instant // the moment that was asked about
	Allowed   bool
	Why       Why
	Status    Status
	Basis     policy.LegalBasis
	Version   content.Hash
	Because   []ident.EventID
	Category  policy.CategoryID
	Recipient policy.RecipientID
}

func (RecordVoided) isEvent()       {}
func (RecordDisputed) isEvent()     {}
func (ExemptionInvoked) isEvent()   {}
func (ExemptionEnded) isEvent()     {}
func (HoldPlaced) isEvent()         {}
func (HoldReleased) isEvent()       {}
func (RestrictionApplied) isEvent() {}
func (RestrictionLifted) isEvent()  {}
func (AgeRecorded) isEvent()        {}
func (MinorDataFound) isEvent()     {}
func (GuardianVerified) isEvent()   {}
func (GuardianEnded) isEvent()      {}
func (SubjectLinked) isEvent()      {}
func (SubjectUnlinked) isEvent()    {}
func (SubjectReassigned) isEvent()  {}
func (SubjectClosed) isEvent()      {}
func (SubjectMarkedTest) isEvent()  {}
func (CheckAnswered) isEvent()      {}
