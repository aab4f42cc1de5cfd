package deadline

import (
	"fmt"
	"slices"
)

// A Pause is a time for which a clock stood still. To is zero while it does.
// Reason is one of those that rules name, as in "identity_verification"; an
// empty one stops every rule that can be stopped.
type Pause struct {
	From, To Instant
	Reason   string
}

// A stop is a pause in a clock's own unit, local dates or instants: what is
// after From and not after To does not count. To is open: the clock has not
// gone on.
type stop[T ~int32 | ~int64] struct {
	from, to T
	open     bool
}

// stops returns the pauses that stop a rule's clock after its start, in their
// order, overlapping ones as one, and how many do not stop it.
func stops[T ~int32 | ~int64](
	r Rule, pauses []Pause, start T, at func(Instant) T,
) (list []stop[T], ignored int, err error) {
	for i, p := range pauses {
		switch {
		case p.From == 0:
			return nil, 0, fmt.Errorf("pause %d: has no beginning", i+1)
		case p.To != 0 && p.To < p.From:
			return nil, 0, fmt.Errorf("pause %d: ends at %s, before it begins at %s", i+1, p.To, p.From)
		case len(r.Pause) == 0 || r.Direction == Backward || p.Reason != "" && !slices.Contains(r.Pause, p.Reason):
			ignored++
			continue
		}

		s := stop[T]{from: max(at(p.From), start), open: p.To == 0}
		if !s.open {
			s.to = at(p.To)
		}
		if s.open || s.to > s.from {
			list = append(list, s)
		}
	}

	slices.SortStableFunc(list, func(a, b stop[T]) int { return int(min(max(int64(a.from)-int64(b.from), -1), 1)) })
	return merge(list), ignored, nil
}

// merge makes one stop of those that overlap.
func merge[T ~int32 | ~int64](list []stop[T]) []stop[T] {
	var merged []stop[T]
	for _, s := range list {
		if n := len(merged); n > 0 && (merged[n-1].open || s.from <= merged[n-1].to) {
			merged[n-1].open = merged[n-1].open || s.open
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// A shifted is a period moved on by the stops in it.
type shifted[T ~int32 | ~int64] struct {
	end                T
	suspended          bool
	elapsed, remaining int64
}

// shift moves the end of a period from start by every stop that begins before
// it: what begins at the end or later comes too late to stop it.
func shift[T ~int32 | ~int64](start, end T, list []stop[T]) shifted[T] {
	var stood T
	for _, s := range list {
		if s.from >= end {
			break
		}
		if s.open {
			return shifted[T]{suspended: true, elapsed: int64(s.from - start - stood), remaining: int64(end - s.from)}
		}
		stood += s.to - s.from
		end += s.to - s.from
	}
	return shifted[T]{end: end}
}
