package domain

import (
	"slices"

	"consentledger/domain/deadline"
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
	w, err := walkLinks(s, self, of, false)
	if err != nil {
		return s, err
	}
	for _, r := range w.reached {
		s = s.crossing(r.Subject, r.reaches)
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
	w, err := walkLinks(s, self, of, true)
	if err != nil {
		return nil, err
	}
	var all []Reached
	for _, r := range w.reached {
		all = append(all, Reached{r.name, r.all[unvoided].end() == forever})
	}
	return all, nil
}

// The links that a walk goes by: those that are no mistakes, or all.
const (
	unvoided = iota
	withVoided
	kinds
)

// A reach is a history on the way, and when it was the same person's as the
// first, by what links.
type reach struct {
	name string
	Subject
	direct  [kinds]windows   // by one link
	fresh   [kinds]windows   // by a way on which at least one link is newer than the rule
	all     [kinds]windows   // by any way
	mistake deadline.Instant // when the last link on the way was found to be a mistake; zero: none
}

// reaches reports whether an opt-out of the history crosses, and when that was
// found to be a mistake; zero: it was none.
func (r *reach) reaches(n *said) (mistake deadline.Instant, is bool) {
	for k := range kinds {
		end := r.all[k].end()
		if n.Rules == 0 {
			end = max(r.direct[k].end(), r.fresh[k].end())
		}
		if n.noFrom() < end {
			return []deadline.Instant{unvoided: 0, withVoided: r.mistake}[k], true
		}
	}
	return 0, false
}

// A linkWalk goes from one history along links to all that were the same person's.
type linkWalk struct {
	of      Histories
	self    string
	reached []*reach // in the order in which they were found
	queue   []*reach // whose windows grew
	loose   bool     // the other side may not know that a link was a mistake
}

func walkLinks(s Subject, self string, of Histories, loose bool) (*linkWalk, error) {
	w := &linkWalk{of: of, self: self, loose: loose}
	start := &reach{name: self, Subject: s, all: [kinds]windows{always, always}}
	for w.queue = []*reach{start}; len(w.queue) > 0; {
		next := w.queue[0]
		w.queue = w.queue[1:]
		for _, l := range w.ways(next) {
			if err := w.follow(next, l, next == start); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

// A way is every link from one history to another.
type way struct {
	to      string
	all     [kinds][]window
	fresh   [kinds][]window // of those that are newer than the rule
	mistake deadline.Instant
}

// ways returns the links of a history by where they lead.
func (w *linkWalk) ways(from *reach) (ways []*way) {
	for _, l := range from.links {
		if l.Other == w.self || l.Other == from.name {
			continue
		}
		i := slices.IndexFunc(ways, func(x *way) bool { return x.to == l.Other })
		if i < 0 {
			i, ways = len(ways), append(ways, &way{to: l.Other})
		}
		open := window{l.From, l.Until}
		if l.Until == 0 || w.loose && l.Voided != 0 {
			open.until = forever
		}
		ways[i].add(l, open)
	}
	return ways
}

func (x *way) add(l Link, open window) {
	x.mistake = max(x.mistake, l.Voided)
	for k := range kinds {
		if k == unvoided && l.Voided != 0 {
			continue
		}
		x.all[k] = append(x.all[k], open)
		if l.Rules > 0 {
			x.fresh[k] = append(x.fresh[k], open)
		}
	}
}

// follow goes from a history to where its links lead, as far as they were open
// while it was the same person's. It reads the other history only if they were.
func (w *linkWalk) follow(from *reach, l *way, first bool) error {
	var all, fresh, direct [kinds]windows
	for k := range kinds {
		open, newer := windowsOf(l.all[k]), windowsOf(l.fresh[k])
		all[k] = from.all[k].and(open)
		fresh[k] = from.all[k].and(newer).or(from.fresh[k].and(open))
		if first {
			direct[k] = open
		}
	}

	if len(all[withVoided]) == 0 {
		return nil
	}

	to, err := w.at(l.to)
	if err != nil {
		return err
	}

	to.mistake = max(to.mistake, from.mistake, l.mistake)
	grew := false
	for k := range kinds {
		to.direct[k] = to.direct[k].or(direct[k])
		grew = grow(&to.all[k], all[k]) || grew
		grew = grow(&to.fresh[k], fresh[k]) || grew
	}

	if grew && !slices.Contains(w.queue, to) {
		w.queue = append(w.queue, to)
	}
	return nil
}

// grow adds windows to others, and reports whether that made them more.
func grow(w *windows, more windows) bool {
	was := *w
	*w = was.or(more)
	return !slices.Equal(was, *w)
}

// at returns a history that the walk came to before, or reads it.
func (w *linkWalk) at(name string) (*reach, error) {
	if i := slices.IndexFunc(w.reached, func(r *reach) bool { return r.name == name }); i >= 0 {
		return w.reached[i], nil
	}
	s, err := w.of(name)
	if err != nil {
		return nil, err
	}
	r := &reach{name: name, Subject: s}
	w.reached = append(w.reached, r)
	return r, nil
}
