package codec

import (
	"fmt"

	"consentledger/domain"
	"consentledger/domain/deadline"
)

type (
	erasureOrderedV1 struct {
		By       []string `json:"by"`
		Evidence string   `json:"evidence,omitzero"`
		Reason   string   `json:"reason"`
	}
	erasureOrderedV2 struct {
		By       []string     `json:"by"`
		Evidence string       `json:"evidence,omitzero"`
		Proof    *keptProofV2 `json:"proof,omitempty"`
		Reason   string       `json:"reason"`
	}
	keptProofV2 struct {
		Duty   string `json:"duty"`
		Law    string `json:"law"`
		Reason string `json:"reason"`
		Until  string `json:"until"` // a day, in the time zone of the app
	}
	subjectErasedV1 struct {
		Order string `json:"order"`
	}
	proofDisclosedV1 struct {
		By       []string `json:"by"`
		Evidence string   `json:"evidence,omitzero"`
		Reason   string   `json:"reason"`
		To       string   `json:"to"`
	}
	destructionOrderedV1 struct {
		By       []string `json:"by,omitempty"` // absent: the last day is over
		Evidence string   `json:"evidence,omitzero"`
		Reason   string   `json:"reason"`
	}
	proofDestroyedV1 struct {
		Order string `json:"order"`
	}
)

func (s erasureOrderedV1) event() (domain.Event, error) {
	return erasureOrderedV2{By: s.By, Evidence: s.Evidence, Reason: s.Reason}.event()
}

func (s erasureOrderedV2) event() (domain.Event, error) {
	var r reader
	by, err := twoOf("ordered", s.By)
	if err != nil {
		return nil, err
	}
	proof := s.Proof.proof(&r)
	e := domain.ErasureOrdered{Reason: s.Reason, By: by, Evidence: r.hash(s.Evidence), Proof: proof}
	return e, r.err
}

func keptProofShape(p domain.KeptProof) *keptProofV2 {
	if p == (domain.KeptProof{}) {
		return nil
	}
	return &keptProofV2{Duty: p.Duty, Law: p.Law, Reason: p.Reason, Until: p.Until.String()}
}

func (s *keptProofV2) proof(r *reader) domain.KeptProof {
	if s == nil {
		return domain.KeptProof{}
	}
	return domain.KeptProof{Duty: s.Duty, Law: s.Law, Reason: s.Reason, Until: parse(r, s.Until, deadline.ParseDate)}
}

func (s subjectErasedV1) event() (domain.Event, error) {
	var r reader
	e := domain.SubjectErased{Order: r.eventID(s.Order)}
	return e, r.err
}

func (s proofDisclosedV1) event() (domain.Event, error) {
	var r reader
	by, err := twoOf("disclosed", s.By)
	if err != nil {
		return nil, err
	}
	e := domain.ProofDisclosed{Reason: s.Reason, To: s.To, Evidence: r.hash(s.Evidence), By: by}
	return e, r.err
}

func destructionShape(e domain.DestructionOrdered) any {
	s := destructionOrderedV1{Evidence: hash(e.Evidence), Reason: e.Reason}
	if e.By != [2]string{} {
		s.By = e.By[:]
	}
	return s
}

func (s destructionOrderedV1) event() (domain.Event, error) {
	var r reader
	e := domain.DestructionOrdered{Reason: s.Reason, Evidence: r.hash(s.Evidence)}
	if len(s.By) == 0 {
		return e, r.err
	}
	by, err := twoOf("ordered", s.By)
	if err != nil {
		return nil, err
	}
	e.By = by
	return e, r.err
}

func (s proofDestroyedV1) event() (domain.Event, error) {
	var r reader
	e := domain.ProofDestroyed{Order: r.eventID(s.Order)}
	return e, r.err
}

// twoOf reads who decided something that takes two.
func twoOf(what string, by []string) ([2]string, error) {
	if len(by) != 2 {
		return [2]string{}, fmt.Errorf("%s by %d persons, want 2", what, len(by))
	}
	return [2]string(by), nil
}
