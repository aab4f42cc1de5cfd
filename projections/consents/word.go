package consents

import (
	"fmt"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
)

// A word is what an entry may change: where its person stands with some purposes.
type word struct {
	purposes []policy.PurposeID
	all      bool // and every purpose that is declared
	rows     bool // and every purpose that the person has a row about

	links   bool // it is about whose the history is
	recount bool // it may change how many answers were mistakes, or whether the person is a test
}

// wordIn returns what an entry may change, and false if it says nothing about
// consents of a person. The table of events says which do; one of them that has no case
// here is an error.
func wordIn(e *codec.Entry) (w word, ok bool, err error) {
	if !domain.ViewsOf(e.Event).Has(domain.InConsents) {
		return w, false, nil
	}

	switch x := e.Event.(type) {
	case domain.ConsentGiven:
		w.purposes = make([]policy.PurposeID, 0, len(x.Items))
		for _, item := range x.Items {
			w.purposes = append(w.purposes, item.Purpose)
		}
	case domain.ConsentRefused:
		w = optOutIn(x.Scope)
	case domain.ConsentWithdrawn:
		w = optOutIn(x.Scope)
	case domain.PermissionRevoked:
		w.purposes = x.Withdraws
		return w, len(x.Withdraws) > 0, nil
	case domain.SubjectReassigned, domain.SubjectClosed, domain.ErasureOrdered:
		w = optOutIn(policy.Scope{All: true})
	case domain.ConsentUsed, domain.AgeRecorded, domain.GuardianVerified:
		w.rows = true
	case domain.SubjectLinked, domain.SubjectUnlinked:
		w.rows, w.links = true, true
	case domain.RecordVoided:
		w.rows, w.recount = true, true
	case domain.SubjectMarkedTest:
		w.recount = true
	case domain.PolicyPublished, domain.BuildVoided, domain.NoticePresented, domain.ConsentRequested:
		return w, false, nil // not where one person stands: see [batch.entry]
	default:
		return w, false, fmt.Errorf("event %T has no case in consents", e.Event)
	}
	return w, true, nil
}

// optOutIn returns what an opt-out may change.
func optOutIn(s policy.Scope) word { return word{purposes: s.Purposes, all: s.All, rows: s.All} }

// answerIn returns what an entry's answer is, and the build that recorded it, if it
// is one.
func answerIn(e *codec.Entry) (answer domain.Status, build string) {
	switch x := e.Event.(type) {
	case domain.ConsentGiven:
		return domain.Given, x.Build
	case domain.ConsentRefused:
		return domain.Refused, x.Build
	case domain.ConsentWithdrawn:
		return domain.Withdrawn, x.Build
	}
	return 0, ""
}

// moment is when f counts, never before it was recorded. Rows are as of it.
func moment(f domain.Fact) deadline.Instant {
	if _, grant := f.Event.(domain.ConsentGiven); grant {
		return max(f.At, f.Recorded)
	}
	return f.Recorded
}
