package domain

import (
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
)

// A Loss is a purpose for which a grant of a person ended, and the newest opt-out
// that stands in its way.
type Loss struct {
	Purpose policy.PurposeID
	By      ident.EventID
}

// Lost returns for which purposes the person stood at given, or stale, by the facts
// in s, and stands behind an opt-out by those in after, which are some more of the
// same history or of histories that are linked to it. What had run out before was
// not lost, and an opt-out that was a mistake takes nothing.
func (s Subject) Lost(after Subject, at deadline.Instant, ref Reference) (lost []Loss) {
	for _, p := range s.granted() {
		if was := s.standing(p, at, &ref).Status; was != Given && was != Stale {
			continue
		}
		switch st := after.standing(p, at, &ref); st.Status {
		case Refused, Withdrawn:
			lost = append(lost, Loss{p, st.Because[0]})
		case AskAgain:
			if n, _ := lastOptOut(after.optOuts(nil, p, at), &ref); n != nil {
				lost = append(lost, Loss{p, n.ID})
			}
		case NeverAsked, Given, Expired, Stale:
			// nobody said no
		}
	}
	return lost
}

// granted returns the purposes that a grant of the history names and that it counts for.
func (s Subject) granted() (ids []policy.PurposeID) {
	for _, y := range s.said {
		for _, item := range y.items {
			if item.Short == "" && !slices.Contains(ids, item.Purpose) {
				ids = append(ids, item.Purpose)
			}
		}
	}
	return ids
}

// OptOut returns the opt-out of that id that was said in the history itself, and
// whether there is one. The end of the history is none.
func (s Subject) OptOut(id ident.EventID) (Fact, bool) {
	for _, n := range s.said {
		if n.ID == id && n.no != 0 && !n.crossed && !n.ended {
			return n.Fact, true
		}
	}
	return Fact{}, false
}
