package domain

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
)

// OrderErasure asks to erase a person.
type OrderErasure struct {
	Reason   string
	Evidence content.Hash // of the request or the decision; zero: none
	By       [2]string

	// Again: the person was erased before, and a ledger that was restored does not know it.
	// Then Proof is what was kept of them, whatever duties there are now.
	Again bool
	Proof KeptProof
}

func (OrderErasure) isCommand() {}

// ErasureOrdered records that a person is to be erased: their key, their
// personal parts and the outside ids that lead to them. It ends the history;
// who comes back is somebody new. What is recorded stays, and says nothing about
// anybody any more, but to who opens the proof, if one is kept.
type ErasureOrdered struct {
	Reason   string
	Evidence content.Hash
	By       [2]string // two principals
	Proof    KeptProof // what is kept of the person, and why; zero: nothing is
}

// SubjectErased records that it is done.
type SubjectErased struct{ Order ident.EventID }

func (ErasureOrdered) isEvent() {}
func (SubjectErased) isEvent()  {}

// Ordered returns the fact that ordered to erase the person; zero: there is none.
func (s Subject) Ordered() ident.EventID { return s.ordered }

// Erased returns when the person was erased, zero if they were not.
func (s Subject) Erased() deadline.Instant { return s.erased }

// erase decides an order. A legal hold stands above it.
func (s Subject) erase(cmd OrderErasure, ref Reference, at deadline.Instant) (Event, error) {
	if err := CheckReason(cmd.Reason); err != nil {
		return nil, err
	}
	if !areTwo(cmd.By) {
		return nil, refusal.At(refusal.TwoPersons, "by", "erasing takes two different persons")
	}

	switch {
	case s.since == 0:
		return nil, refusal.New(refusal.UnknownPerson, "nothing is known of this person, so there is nothing to erase")
	case s.ordered != ident.EventID{}:
		return nil, refusal.New(refusal.AlreadyOver, "the person is erased already")
	}

	for _, h := range s.holds {
		if h.holds(at) {
			return nil, refusal.New(refusal.OnHold,
				"a legal hold is on this person's data: they stay until it is released, see "+
					"hold.released")
		}
	}

	proof, err := cmd.Proof, error(nil)
	if !cmd.Again {
		proof, err = s.proofFor(ref, at)
	}
	return ErasureOrdered{Reason: cmd.Reason, Evidence: cmd.Evidence, By: cmd.By, Proof: proof}, err
}
