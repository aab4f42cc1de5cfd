package link

import (
	"slices"

	"consentledger/domain/deadline"
)

// The links that a walk goes by: those that are no mistakes, or all.
const (
	unvoided = iota
	withVoided
	kinds
)

// A Reach is a history on the way, and when it was the same person's as the
// first, by what links.
type Reach struct {
	Other string // the pseudonym

	links   []Link
	direct  [kinds]windows   // by one link
	fresh   [kinds]windows   // by a way on which at least one link is newer than the rule
	all     [kinds]windows   // by any way
	mistake deadline.Instant // when the last link on the way was found to be a mistake; zero: none
}

// Now reports whether the history still is the same person's: no link on the way is over.
func (r *Reach) Now() bool { return r.all[unvoided].end() == forever }

// Crosses reports whether an opt-out of the history crosses that counts from a moment and
// was recorded under a version of the rules, and when that was found to be a mistake; zero:
// it was none.
func (r *Reach) Crosses(from deadline.Instant, rules uint8) (mistake deadline.Instant, is bool) {
	for k := range kinds {
		end := r.all[k].end()
		if rules == 0 {
			end = max(r.direct[k].end(), r.fresh[k].end())
		}
		if from < end {
			return []deadline.Instant{unvoided: 0, withVoided: r.mistake}[k], true
		}
	}
	return 0, false
}

// A walk goes from one history along links to all that were the same person's.
type walk struct {
	of      func(other string) ([]Link, error)
	self    string
	reached []*Reach // in the order in which they were found
	queue   []*Reach // whose windows grew
	loose   bool     // the other side may not know that a link was a mistake
}

// Walk returns every history that links lead to from the history self, which has some: in
// the order in which of, which finds the links of another, was asked for them. A loose walk
// also goes by links that are over because they were mistakes, as the other side may not
// know.
func Walk(self string, links []Link, of func(other string) ([]Link, error), loose bool) ([]*Reach, error) {
	w := &walk{of: of, self: self, loose: loose}
	start := &Reach{Other: self, links: links, all: [kinds]windows{always, always}}
	for w.queue = []*Reach{start}; len(w.queue) > 0; {
		next := w.queue[0]
		w.queue = w.queue[1:]
		for _, l := range w.ways(next) {
			if err := w.follow(next, l, next == start); err != nil {
				return nil, err
			}
		}
	}
	return w.reached, nil
}

// A way is every link from one history to another.
type way struct {
	to      string
	all     [kinds][]window
	fresh   [kinds][]window // of those that are newer than the rule
	mistake deadline.Instant
}

// ways returns the links of a history by where they lead.
func (w *walk) ways(from *Reach) (ways []*way) {
	for _, l := range from.links {
		if l.Other == w.self || l.Other == from.Other {
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
func (w *walk) follow(from *Reach, l *way, first bool) error {
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
func (w *walk) at(name string) (*Reach, error) {
	if i := slices.IndexFunc(w.reached, func(r *Reach) bool { return r.Other == name }); i >= 0 {
		return w.reached[i], nil
	}
	links, err := w.of(name)
	if err != nil {
		return nil, err
	}
	r := &Reach{Other: name, links: links}
	w.reached = append(w.reached, r)
	return r, nil
}
