package domain

import (
	"consentledger/domain/deadline"
	"consentledger/domain/link"
)

// Histories finds the history of a pseudonym.
type Histories func(other string) (Subject, error)

// Whole returns s, the history of the pseudonym self, with what crosses from
// every other history of the same person: each opt-out that was said there, or
// that counts, while both were one person's or before. A grant never crosses;
// the person gives it again, see [GiveConsent.Confirms]. The end of another
// history does not cross either: nobody said no by it, a device changed hands.
//
// Two histories are one person's at a moment at which links lead from the one
// to the other that are all open then, whatever the order in which the links
// were made and the opt-out was said. So what one device refuses reaches the
// account, and every other device of the account. A link that is over carries on
// nothing that is said later, and nothing to who is linked after it: what somebody
// chose on a shared device, and left with, does not go on to whoever logs in next.
//
// What was said before the rule had a version goes through one link only,
// unless a link on the way is newer: see [Rules].
func (s Subject) Whole(self string, of Histories) (Subject, error) {
	if len(s.links) == 0 {
		return s, nil
	}
	reached, histories, err := s.walk(self, of, false)
	if err != nil {
		return s, err
	}
	for i, r := range reached {
		s = s.crossing(histories[i], func(n *said) (deadline.Instant, bool) { return r.Crosses(n.Earlier(), n.Rules) })
	}
	return s, nil
}

// A Reached is another history of the same person.
type Reached struct {
	Other string // the pseudonym
	Now   bool   // it still is: no link on the way is over
}

// Reached returns every history that was the same person's as s at any moment.
func (s Subject) Reached(self string, of Histories) ([]Reached, error) {
	if len(s.links) == 0 {
		return nil, nil
	}
	reached, _, err := s.walk(self, of, true)
	if err != nil {
		return nil, err
	}
	var all []Reached
	for _, r := range reached {
		all = append(all, Reached{r.Other, r.Now()})
	}
	return all, nil
}

// walk goes along the links of s, see [link.Walk], and returns the histories too that it
// reads on the way.
func (s Subject) walk(self string, of Histories, loose bool) (reached []*link.Reach, histories []Subject, err error) {
	links := func(other string) ([]link.Link, error) {
		h, err := of(other)
		if err == nil {
			histories = append(histories, h)
		}
		return h.links, err
	}
	reached, err = link.Walk(self, s.links, links, loose)
	return reached, histories, err
}
