package codec

import (
	"fmt"

	"consentledger/domain"
)

type (
	erasureOrderedV1 struct {
		By       []string `json:"by"`
		Evidence string   `json:"evidence,omitzero"`
		Reason   string   `json:"reason"`
	}
	subjectErasedV1 struct {
		Order string `json:"order"`
	}
)

func (s erasureOrderedV1) event() (domain.Event, error) {
	var r reader
	if len(s.By) != 2 {
		return nil, fmt.Errorf("ordered by %d persons, want 2", len(s.By))
	}
	e := domain.ErasureOrdered{Reason: s.Reason, By: [2]string(s.By), Evidence: r.hash(s.Evidence)}
	return e, r.err
}

func (s subjectErasedV1) event() (domain.Event, error) {
	var r reader
	e := domain.SubjectErased{Order: r.eventID(s.Order)}
	return e, r.err
}
