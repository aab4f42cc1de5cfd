package domain

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form"
	"consentledger/domain/link"
	"consentledger/domain/refusal"
)

// say answers the events about a person that are recorded as they are: those of which more
// is asked than themselves have a case, of the others the table says what they must be.
func (s Subject) say(e Event, ref Reference, at deadline.Instant) ([]Event, error) {
	switch e := e.(type) {
	case AgeRecorded:
		return s.recordAge(e, ref, at)
	case ExemptionInvoked:
		return one(ref.invoke(e))
	case ExemptionEnded:
		return []Event{e}, ended(s.exemptions, e)
	case ConsentUsed:
		return one(e, s.checkUsed(e))
	case RecordDisputed:
		return one(e, s.checkRecords(e.Records, e.Reason))
	case GuardianEnded:
		return one(e, s.checkGuardian(e))
	case SubjectLinked:
		return s.link(e)
	case SubjectUnlinked:
		if _, ok := link.Open(s.links, e.Other); !ok {
			return nil, refusal.New(refusal.UnknownLink, "the two histories are not linked")
		}
		return []Event{e}, nil
	case SubjectReassigned:
		return one(e, s.checkEnd(e.Reason))
	case SubjectClosed:
		return one(e, s.checkEnd(e.Reason))
	case Noted:
		return one(e, s.noteOfPerson(e, ref, at))
	}

	if check := RuleOf(e).check; check != nil {
		return one(e, check(e))
	}
	return nil, refusal.New(refusal.WrongStream, "this is not said about a person, or not by itself")
}

// CheckReason refuses a reason that is not a code: it is kept in the clear.
func CheckReason(reason string) error {
	if !form.IsName(reason, 64) {
		return refusal.At(refusal.ReasonMissing, "data.reason", `say why, by a code of 1 to 64 of a-z, 0-9 and "-"`)
	}
	return nil
}

// checkEnd refuses to end a history that never began: its outside id may be
// somebody's who is yet to come.
func (s Subject) checkEnd(reason string) error {
	if s.since == 0 {
		return refusal.New(refusal.UnknownPerson, "nothing is known of this person, so there is nothing to end")
	}
	return CheckReason(reason)
}

func (e GuardianVerified) check() error {
	if e.Guardian == "" || e.Proof.Document == (content.Hash{}) || !form.IsName(e.Proof.Method, 64) ||
		e.Proof.CheckedBy == "" {
		return refusal.New(refusal.Incomplete,
			"a guardian needs a person, a document by its hash, a method by its code, and who "+
				"checked it")
	}
	return nil
}

func (s Subject) checkGuardian(e GuardianEnded) error {
	for _, g := range s.guardians {
		if g.Guardian == e.Guardian && g.Until == 0 {
			return CheckReason(e.Reason)
		}
	}
	return refusal.At(refusal.UnknownGuardian, "data.guardian",
		"nobody of that id is verified as the person's guardian")
}

// link answers SubjectLinked. Who is linked already is no news.
func (s Subject) link(e SubjectLinked) ([]Event, error) {
	if _, ok := link.Open(s.links, e.Other); ok {
		return nil, nil
	}
	if !form.IsName(e.Proof, 64) {
		return nil, refusal.At(refusal.Incomplete, "data.proof",
			"say by a code how it is known that both are one person: login, same-device, operator")
	}
	return []Event{e}, nil
}

func (s Subject) checkUsed(e ConsentUsed) error {
	if len(e.Consents) == 0 {
		return refusal.At(refusal.NothingNamed, "data.consents", "name the consents that were used")
	}

	for _, id := range e.Consents {
		y, ok := s.grant(id)
		switch {
		case !ok:
			return refusal.At(refusal.UnknownRecord, "data.consents", "a consent to use up is not of this person")
		case !y.Event.(ConsentGiven).Once:
			return refusal.At(refusal.Contradicts, "data.consents", "the consent is not for a single use")
		case y.more().used != 0:
			return refusal.At(refusal.AlreadyUsed, "data.consents", "the consent was used up before: ask again")
		}
	}
	return nil
}

// grant returns what was granted by a record of this history.
func (s Subject) grant(id ident.EventID) (said, bool) {
	for _, y := range s.said {
		if y.ID == id && y.no == 0 {
			return *y, true
		}
	}
	return said{}, false
}
