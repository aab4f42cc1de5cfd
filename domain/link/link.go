// Package link ties the histories of one person to each other: which of them were one
// person's when, and what crosses from one to the other.
package link

import (
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
)

// A Link ties a history to another of the same person.
type Link struct {
	Other       string // the other's pseudonym
	From, Until deadline.Instant
	Because     ident.EventID
	// the link was a mistake: what had crossed stands in the way, and is no answer; zero: not
	Voided  deadline.Instant
	Rules   uint8 // of the fact that made it, as of every fact
	endedBy ident.EventID
}

// Open returns which link to other is open, and whether one is.
func Open(links []Link, other string) (int, bool) {
	for i := range links {
		if l := &links[i]; l.Other == other && l.Until == 0 {
			return i, true
		}
	}
	return 0, false
}

// OnlyMistakes reports whether a history was linked to other, and each time by mistake.
func OnlyMistakes(links []Link, other string) bool {
	linked := false
	for i := range links {
		if l := &links[i]; l.Other == other {
			if linked = true; l.Voided == 0 {
				return false
			}
		}
	}
	return linked
}

// End returns links of which that to other is over, since a moment and by a fact.
func End(own lists.Own, links []Link, other string, since deadline.Instant, by ident.EventID) []Link {
	i, ok := Open(links, other)
	if !ok {
		return links
	}
	out := links
	if own != lists.Alone {
		out = slices.Clone(out)
	}
	out[i].Until, out[i].endedBy = since, by
	return out
}

// Void returns links of which some were a mistake, or their end was. The
// history on the other side has a record of its own.
func Void(own lists.Own, all []Link, hit func(ident.EventID) bool, at deadline.Instant) []Link {
	return lists.Altered(own, all, func(l *Link) {
		if l.endedBy != (ident.EventID{}) && hit(l.endedBy) && l.Voided == 0 {
			l.Until, l.endedBy = 0, ident.EventID{}
		}
		if hit(l.Because) && l.Voided == 0 {
			l.Voided = at
			if l.Until == 0 {
				l.Until = at
			}
		}
	})
}
