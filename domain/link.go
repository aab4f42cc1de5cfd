package domain

// A Link ties this history to another of the same person.
type Link struct {
	Other       string // the other's pseudonym
	From, Until Instant
	Because     EventID
}

// Links returns every link of the history, those that are over included. The
// slice is shared: do not change it.
func (s Subject) Links() []Link { return s.links }

// linked returns the open link to other, and whether there is one.
func (s Subject) linked(other string) (int, bool) {
	for i, l := range s.links {
		if l.Other == other && l.Until == 0 {
			return i, true
		}
	}
	return 0, false
}

func (s Subject) unlink(other string, at Instant) []Link {
	i, ok := s.linked(other)
	if !ok {
		return s.links
	}
	out := append([]Link(nil), s.links...)
	out[i].Until = at
	return out
}

// With returns s with what crosses the link l from the history other: each no
// that was said there before the link was over. A yes never crosses; the
// person gives it again, see [GiveConsent.Confirms]. What crossed to other
// from elsewhere stays there, so that a shared device passes nothing from one
// account to the next.
func (s Subject) With(l Link, other Subject) Subject {
	said := s.said[:len(s.said):len(s.said)]
	for _, n := range other.said {
		if n.no == 0 || n.crossed || (l.Until != 0 && n.noFrom() >= l.Until) {
			continue
		}
		n.crossed = true
		said = append(said, n)
	}
	s.said = said
	return s
}

// checkConfirms refuses to confirm what no linked history holds. The answers
// of linked histories are in ref.
func (s Subject) checkConfirms(ids []EventID, ref Reference) error {
	for _, id := range ids {
		known := false
		for _, y := range ref.Linked {
			known = known || y == id
		}
		if !known {
			return refuseAt(UnknownRecord, "data.confirms", "an answer to confirm is not in a history linked to this one")
		}
	}
	return nil
}

// Answers returns the ids of the yeses that stand in the history's own facts.
func (s Subject) Answers() []EventID {
	var ids []EventID
	for _, y := range s.said {
		if y.no == 0 && !y.voided {
			ids = append(ids, y.ID)
		}
	}
	return ids
}
