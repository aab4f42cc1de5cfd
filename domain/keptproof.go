package domain

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form"
	"consentledger/domain/proposal"
	"consentledger/domain/refusal"
)

// An erasure has two stages where a law asks for proof of consent to be kept, as GDPR 7(1)
// and 17(3)(e) do. A duty that keeps the proof alone ("keeps": "proof") does not stand in
// the way of an erasure: by the order, everything of the person goes, but for a proof that
// they agreed, refused and withdrew, which is sealed under a key of its own. It is stored,
// and nothing else is done with it (PIPL 47): it answers nothing, and the person is as
// erased as anybody. The order says for which duty it is kept, and up to which day.
//
// Two principals may decide to disclose it, and only by that it is opened. When the day is
// over it is destroyed, and so it is if two principals order it before.
//
// The order holds the day and the reason for good: who was erased was told so. A duty that
// is ended or declared anew later changes neither. A legal hold that was declared meanwhile
// and is on the person keeps the proof from being destroyed.

// A KeptProof says for which duty of law the proof of a person who is erased is kept, and
// up to which day. Zero: no proof is kept.
type KeptProof struct {
	Duty, Law, Reason string
	Until             deadline.Date // the last day, in the time zone of the app
}

// DiscloseProof asks to disclose the proof of a person who is erased.
type DiscloseProof struct {
	Reason   string // a code
	To       string // who is shown it, a code: a court, an authority, a register of the handler's own
	Evidence content.Hash
	By       [2]string
}

// DestroyProof asks to destroy the proof of a person who is erased. Due: its last day is
// over, and nobody in particular asks.
type DestroyProof struct {
	Reason   string
	Evidence content.Hash
	By       [2]string
	Due      bool
}

func (DiscloseProof) isCommand() {}
func (DestroyProof) isCommand()  {}

// ProofDisclosed records that two principals decided to disclose a proof. Each look at it
// is a [DataAccessed] of its own.
type ProofDisclosed struct {
	Reason, To string
	Evidence   content.Hash
	By         [2]string
}

// DestructionOrdered records that the proof of a person who is erased is to be destroyed.
type DestructionOrdered struct {
	Reason   string
	Evidence content.Hash
	By       [2]string // two principals; empty: its last day is over
}

// ProofDestroyed records that it is done.
type ProofDestroyed struct{ Order ident.EventID }

func (ProofDisclosed) isEvent()     {}
func (DestructionOrdered) isEvent() {}
func (ProofDestroyed) isEvent()     {}

// ProofEnded is the reason of a destruction whose day has come.
const ProofEnded = "duty-over"

// DisclosureLasts is for how long a proof may be opened after it was decided to disclose it.
const DisclosureLasts = proposal.Lasts

// A ProofState is what became of the proof of a person who is erased.
type ProofState struct {
	KeptProof
	Erasure     ident.EventID // the order to erase the person
	Disclosures []Disclosed
	Ordered     ident.EventID // the order to destroy it; zero: there is none
	Destroyed   ident.EventID // the record that it is done; zero: it is not
	DestroyedAt deadline.Instant
}

// A Disclosed is a decision to disclose a proof.
type Disclosed struct {
	ID ident.EventID
	At deadline.Instant
	ProofDisclosed
}

// Proof returns the proof that is kept, or was kept, of the person, and whether there is
// one. It is not to be changed.
func (s Subject) Proof() (ProofState, bool) {
	if s.proof == nil {
		return ProofState{}, false
	}
	return *s.proof, true
}

// Opens returns the disclosure of an id, if a principal may open the proof by it at a
// moment: one of the two who decided it.
func (p ProofState) Opens(id ident.EventID, at deadline.Instant) (Disclosed, error) {
	if p.Ordered != (ident.EventID{}) {
		return Disclosed{}, refusal.New(refusal.ProofDestroyed, "the proof is destroyed")
	}
	for _, d := range p.Disclosures {
		if d.ID != id {
			continue
		}
		if at >= d.At+DisclosureLasts {
			return Disclosed{}, refusal.New(refusal.DisclosureOver,
				"a proof may be opened for seven days after it was decided to disclose it: let two decide it anew")
		}
		return d, nil
	}
	return Disclosed{}, refusal.New(refusal.UnknownRecord, "nobody decided to disclose this proof by a record of "+
		"that id")
}

// proofFor returns for which duty the proof of a person is kept who is erased at a moment:
// the one that asks for the longest time. Of who said nothing there is nothing to prove, and
// who is no person has no proof.
func (s Subject) proofFor(ref Reference, at deadline.Instant) (KeptProof, error) {
	if s.IsTest() || !s.spoke() {
		return KeptProof{}, nil
	}

	kept, err := ref.Service.Register.ProofFor(s.Requests(), s.ended, ref.Service.App.TimeZone, at)
	return KeptProof(kept), err
}

// spoke reports whether the person agreed, refused or withdrew in this history.
func (s Subject) spoke() bool {
	for _, x := range s.said {
		if !x.crossed && !x.ended {
			return true
		}
	}
	return false
}

// disclose decides to disclose a proof.
func (s Subject) disclose(cmd DiscloseProof) (Event, error) {
	switch {
	case !form.IsName(cmd.To, 64):
		return nil, refusal.At(refusal.Incomplete, "to",
			`say who is shown it, by a code of 1 to 64 of a-z, 0-9 and "-"`)
	case !areTwo(cmd.By):
		return nil, refusal.At(refusal.TwoPersons, "by", "disclosing a proof takes two different persons")
	}
	if err := CheckReason(cmd.Reason); err != nil {
		return nil, err
	}
	if err := s.needProof(); err != nil {
		return nil, err
	}
	return ProofDisclosed(cmd), nil
}

// destroy decides to destroy a proof. A legal hold stands above it.
func (s Subject) destroy(cmd DestroyProof, ref Reference, at deadline.Instant) (Event, error) {
	if !cmd.Due && !areTwo(cmd.By) {
		return nil, refusal.At(refusal.TwoPersons, "by", "destroying a proof takes two different persons")
	}
	if err := CheckReason(cmd.Reason); err != nil {
		return nil, err
	}
	if err := s.needProof(); err != nil {
		return nil, err
	}

	zone, err := deadline.ParseZone(ref.Service.App.TimeZone)
	if err != nil {
		return nil, err
	}
	if cmd.Due && at < zone.End(s.proof.Until) {
		return nil, refusal.New(refusal.TooEarly, "the proof is kept up to "+s.proof.Until.String())
	}
	err = ref.Service.Register.CheckDestruction(s.Requests(), s.ended, ref.Service.App.TimeZone, at)
	if err != nil {
		return nil, err
	}
	return DestructionOrdered{Reason: cmd.Reason, Evidence: cmd.Evidence, By: cmd.By}, nil
}

func (s Subject) needProof() error {
	switch {
	case s.proof == nil:
		return refusal.New(refusal.NoProof, "no proof is kept of this person")
	case s.proof.Ordered != ident.EventID{}:
		return refusal.New(refusal.ProofDestroyed, "the proof is destroyed")
	}
	return nil
}

func areTwo(by [2]string) bool { return by[0] != "" && by[1] != "" && by[0] != by[1] }

// foldProof folds what becomes of the proof of a person who is erased.
func (s Subject) foldProof(f Fact) *ProofState {
	if e, ordered := f.Event.(ErasureOrdered); ordered {
		if e.Proof == (KeptProof{}) {
			return nil
		}
		return &ProofState{KeptProof: e.Proof, Erasure: f.ID}
	}
	if s.proof == nil {
		return nil
	}

	p := *s.proof
	switch e := f.Event.(type) {
	case ProofDisclosed:
		p.Disclosures = append(p.Disclosures[:len(p.Disclosures):len(p.Disclosures)],
			Disclosed{ID: f.ID, At: f.Recorded, ProofDisclosed: e})
	case DestructionOrdered:
		p.Ordered = f.ID
	case ProofDestroyed:
		p.Destroyed, p.DestroyedAt = f.ID, f.Recorded
	}
	return &p
}
