package auditreport

import (
	"cmp"
	"slices"

	"consentledger/domain/policy"
)

// tally counts by name.
type tally map[string]int64

func (t tally) list() []Count {
	list := []Count{}
	for name, n := range t {
		list = append(list, Count{name, n})
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return list
}

func (t tally) sum() (n int64) {
	for _, c := range t {
		n += c
	}
	return n
}

// A pair is one person's consent to one purpose.
type pair struct {
	person  string
	purpose policy.PurposeID
}
