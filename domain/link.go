package domain

import (
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/link"
	"consentledger/domain/refusal"
)

// Links returns every link of the history, those that are over included. The
// slice is shared: do not change it.
func (s Subject) Links() []link.Link { return s.links }

// With returns s with what crosses one link from the history other: what
// [Subject.Whole] does for every link there is.
func (s Subject) With(l link.Link, other Subject) Subject {
	return s.crossing(other, func(n *said) (deadline.Instant, bool) {
		return l.Voided, l.Until == 0 || n.Earlier() < l.Until
	})
}

// crossing returns s with the opt-outs of another history that reach it. Reaches
// says which do, and when that was found to be a mistake: then the opt-out still
// stands in the way, and is no answer.
func (s Subject) crossing(other Subject, reaches func(*said) (mistake deadline.Instant, is bool)) Subject {
	said := s.said[:len(s.said):len(s.said)]
	for _, n := range other.said {
		if n.no == 0 || n.crossed || n.ended {
			continue
		}
		mistake, is := reaches(n)
		if !is {
			continue
		}
		crossed := *n
		crossed.crossed = true
		if n.more().voided == 0 && mistake != 0 {
			crossed.alter(func(r *rest) { r.voided = mistake })
		}
		said = append(said, &crossed)
	}

	s.said, s.signals = said, s.signals || other.signals
	return s
}

// checkConfirms refuses to confirm what no linked history holds. The answers
// of linked histories are in ref.
func (s Subject) checkConfirms(ids []ident.EventID, ref Reference) error {
	for _, id := range ids {
		known := false
		for _, y := range ref.Linked {
			known = known || y == id
		}
		if !known {
			return refusal.At(refusal.UnknownRecord, "data.confirms",
				"an answer to confirm is not in a history linked to this one")
		}
	}
	return nil
}

// Answers returns the ids of the grants that stand in the history's own facts.
func (s Subject) Answers() []ident.EventID {
	var ids []ident.EventID
	for _, y := range s.said {
		if y.no == 0 && y.more().voided == 0 {
			ids = append(ids, y.ID)
		}
	}
	return ids
}
