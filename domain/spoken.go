package domain

import (
	"slices"

	"consentledger/domain/policy"
)

// Spoken returns the purposes that the answers of a history are about, in the order
// of their names. What was said of all purposes is about those that were declared
// then.
func (s Subject) Spoken(ref Reference) []policy.PurposeID {
	var ids []policy.PurposeID
	for _, x := range s.said {
		for _, item := range x.items {
			ids = append(ids, item.Purpose)
		}
		ids = append(ids, x.more().scope.Purposes...)
		if x.more().scope.All {
			ids = append(ids, ref.Policies.Declared(x.Recorded)...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
