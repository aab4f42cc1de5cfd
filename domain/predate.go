package domain

import (
	"consentledger/domain/deadline"
	"consentledger/domain/refusal"
)

// Redelivery is how long after it happened an event may still be delivered. For
// so long it is known whether it is from before somebody was erased.
const Redelivery = lateLimit

// Predates reports whether a command may be about whoever had the outside id
// before the history s began, or would have begun. Such a one joins no history:
// it is refused, and an opt-out is taken as of now.
//
// What is from before a history began is of an earlier person if it comes late,
// or in a list: live events of one person come in any order for a while. Where
// there is no history yet, what comes late is nobody's once anybody was erased:
// it may be of one of them. A list that was filtered by who was erased says so,
// see [GiveConsent.FilteredBy].
func (s Subject) Predates(cmd Command, at, recorded deadline.Instant, erased bool) bool {
	late := at < recorded.Add(-Redelivery)
	given, yes := cmd.(GiveConsent)
	if s.since != 0 {
		return at < s.began && (late || yes && given.Import)
	}
	return late && erased && !(yes && given.Import)
}

// filtered refuses an import that does not say whose list of erased persons it
// was filtered by, if there may be such a list. The ledger itself knows of an
// erasure only for as long as events are redelivered.
func (c GiveConsent) filtered(erased bool) error {
	switch {
	case c.FilteredBy != "" && !c.Import:
		return refusal.At(refusal.Contradicts, "data.filtered_by",
			`says whose list an import was filtered by: say "import": true too`)
	case c.Import && c.FilteredBy == "" && erased:
		return refusal.At(refusal.Incomplete, "data.filtered_by",
			"persons were erased from this app: an import says by whose list of them it was filtered, a principal as "+
				"in operator:ann; nobody else can tell that none of them is in it")
	}
	return nil
}
