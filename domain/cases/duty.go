package cases

import (
	"consentledger/domain"
	"consentledger/domain/lists"
	"consentledger/domain/obligation"
)

// Duties are the obligations of one stream, in the order of their opening. The zero
// Duties has none. A Duties never changes: Evolve returns another.
type Duties struct{ obligation.Duties }

// Evolve returns d as it is after f, and whether f is about an obligation.
func (d Duties) Evolve(f domain.Fact) (Duties, bool) { return d.Fold(f, lists.Shared) }

// Fold is [Duties.Evolve] for a caller who owns as much of d as it says.
func (d Duties) Fold(f domain.Fact, own lists.Own) (Duties, bool) {
	switch e := f.Event.(type) {
	case domain.ObligationOpened:
		return Duties{d.With(own, obligation.Opened(e), f.Recorded)}, true
	case domain.ObligationMoved:
		return Duties{d.Moved(own, obligation.Moved(e))}, true
	case domain.ObligationMet:
		return Duties{d.Met(own, obligation.Met(e))}, true
	case domain.ObligationVoided:
		return Duties{d.Voided(own, obligation.Voided(e), f.Recorded)}, true
	case domain.ObligationAtRisk:
		return Duties{d.Warned(own, e.ID, e.Until)}, true
	case domain.ObligationOverdue:
		return Duties{d.Overdue(own, e.ID, e.Until)}, true
	}
	return d, false
}
