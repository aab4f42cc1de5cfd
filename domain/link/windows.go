package link

import (
	"cmp"
	"math"
	"slices"

	"consentledger/domain/deadline"
)

// forever is the end of what goes on.
const forever deadline.Instant = math.MaxInt64

// A window is a span of time: until is not in it.
type window struct{ from, until deadline.Instant }

// windows are spans of time, in their order; none touches the next.
type windows []window

// always is all of time.
var always = windows{{math.MinInt64, forever}}

// windowsOf returns spans that may come in any order and overlap.
func windowsOf(spans []window) windows {
	slices.SortFunc(spans, func(a, b window) int { return cmp.Compare(a.from, b.from) })
	var all windows
	for _, s := range spans {
		switch last := len(all) - 1; {
		case s.from >= s.until:
		case last >= 0 && s.from <= all[last].until:
			all[last].until = max(all[last].until, s.until)
		default:
			all = append(all, s)
		}
	}
	return all
}

// and returns the time that is in both.
func (w windows) and(v windows) (both windows) {
	for i, j := 0, 0; i < len(w) && j < len(v); {
		x := window{max(w[i].from, v[j].from), min(w[i].until, v[j].until)}
		if x.from < x.until {
			both = append(both, x)
		}
		if w[i].until < v[j].until {
			i++
		} else {
			j++
		}
	}
	return both
}

// or returns the time that is in either.
func (w windows) or(v windows) windows {
	if len(w) == 0 || len(v) == 0 {
		return append(v[:len(v):len(v)], w...)
	}
	return windowsOf(slices.Concat(w, v))
}

// end returns when the last of them ends; zero if there is none.
func (w windows) end() deadline.Instant {
	if len(w) == 0 {
		return 0
	}
	return w[len(w)-1].until
}
