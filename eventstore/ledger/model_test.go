package ledger_test

import (
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
)

// An answer is a grant or an opt-out that the ledger took, as the model remembers it.
type answer struct {
	id          eventstore.EventID
	yes         bool
	in          string // in whose history
	by          string // the guardian who said it; empty: the person
	said, taken deadline.Instant
	source      string
	number      uint64
	build       string
	confirms    []ident.EventID
	signal      bool             // a machine says it
	until       deadline.Instant // of a grant; zero: it does not end
	gone        bool             // voided, alone or with its build
	voided      deadline.Instant // when it was, alone; zero: not
}

// A bond is a link as one of its two sides has it.
type bond struct {
	id, end eventstore.EventID
	other   string
	from    deadline.Instant // the earlier of its times
	over    deadline.Instant // zero: not
	voided  deadline.Instant
}

// open reports whether the link was there at a moment.
func (b *bond) open(at deadline.Instant) bool { return b.from <= at && (b.over == 0 || at < b.over) }

// A word is what was said about who somebody is: an age, or a guardian.
type word struct {
	id       eventstore.EventID
	in       string
	guardian string
	child    bool // of an age: under 14
	taken    deadline.Instant
	voided   deadline.Instant
}

// A model is what the ledger is held against: it knows who said what when, who
// was linked to whom until when, and what was a mistake, and nothing of how the
// ledger decides.
type model struct {
	answers []*answer
	bonds   map[string][]*bond
	words   []*word
}

// after reports whether a grant was said after an opt-out beyond doubt: later in both
// times, or by the count of the one source that numbered both, unless both times
// say otherwise. Nothing was said later than it was taken.
func after(y, n *answer) bool {
	if n.in == y.in && n.source == y.source && n.number != 0 && y.number != 0 {
		return y.number > n.number && (n.said <= min(y.said, y.taken) || n.taken <= y.taken)
	}
	return y.said > n.said && y.taken > n.taken
}

// signalled reports whether a request is a machine's signal that the same history
// has heard before, of the same guardian or of none.
func (m *model) signalled(r ledger.Request) bool {
	refusal, _ := r.Command.(domain.RefuseConsent)
	return refusal.Act == "gpc" && slices.ContainsFunc(m.answers, func(n *answer) bool {
		return n.signal && !n.gone && n.in == r.Person.ID && n.by == r.Other.ID
	})
}

// A way is how an opt-out came from one history to another: over how many links, and
// until when none of them was known to be a mistake.
type way struct {
	links int
	held  deadline.Instant
}

// never is after everything.
const never = deadline.Instant(1 << 60)

// crosses reports whether an opt-out of another history reached who, and by which way:
// whoever was the same person when it was said, or later.
func (m *model) crosses(who string, n *answer) (best way, is bool) {
	moments := []deadline.Instant{never}
	for _, bonds := range m.bonds {
		for _, b := range bonds {
			if b.over != 0 {
				moments = append(moments, b.over-1)
			}
		}
	}
	for _, at := range moments {
		if at < min(n.said, n.taken) {
			continue
		}
		if w, found := m.same(who, at)[n.in]; found && (!is || w.held > best.held) {
			best, is = w, true
		}
	}
	return best, is
}

// same returns who was the same person as who at a moment, by way of links that
// were mistakes too: of several ways the one that held longest. A way holds until
// the first of its links is found to be a mistake.
func (m *model) same(who string, at deadline.Instant) map[string]way {
	found := map[string]way{who: {held: never}}
	for next := []string{who}; len(next) > 0; next = next[1:] {
		for _, b := range m.bonds[next[0]] {
			if !b.open(at) {
				continue
			}
			w := found[next[0]]
			w.links++
			if b.voided != 0 {
				w.held = min(w.held, b.voided)
			}
			if known, is := found[b.other]; !is || w.held > known.held {
				found[b.other] = w
				next = append(next, b.other)
			}
		}
	}
	return found
}

// optOuts returns every opt-out that is in who's way, those that were mistakes included:
// each as who has it. One that was a mistake itself, and came over a link that
// was one too, is known to be none since the first of the two was found. Those
// that came over more links than links are left out.
func (m *model) optOuts(who string, links int) (optOuts []*answer) {
	for _, n := range m.answers {
		if n.yes {
			continue
		}
		if n.in == who {
			optOuts = append(optOuts, n)
		} else if w, is := m.crosses(who, n); is && w.links <= links {
			there := *n
			if w.held != never && (n.voided == 0 || w.held < n.voided) {
				there.voided = w.held
			}
			optOuts = append(optOuts, &there)
		}
	}
	return optOuts
}

// mayBe reports whether who may be allowed at the moment at: there is a grant in
// their own history that counts and has not ended, was said after every opt-out that
// is in its way, and was said by whoever may take each of them back; and no grant
// has ended that was not said before it. Links says over how many links an opt-out may
// have come to be in the way.
func (m *model) mayBe(who string, at deadline.Instant, links int) (by *answer, is bool) {
	optOuts := m.optOuts(who, links)
	for _, y := range m.answers {
		if y.yes && !y.gone && y.in == who && !y.over(at) && m.counts(y) && !slices.ContainsFunc(optOuts, func(n *answer) bool { return !after(y, n) || !m.lifts(y, n) }) &&
			!slices.ContainsFunc(m.answers, func(z *answer) bool { return m.ends(z, optOuts, at) && z.in == who && !newer(y, z) }) {
			return y, true
		}
	}
	return nil, false
}

func (a *answer) over(at deadline.Instant) bool { return a.until != 0 && a.until <= at }

// newer reports whether the grant y was said after the grant z, or with it and came
// later.
func newer(y, z *answer) bool {
	numbered := y.source == z.source && y.number != 0 && z.number != 0
	return after(y, z) || !numbered && y.said == z.said && y.taken > z.taken
}

// ends reports whether the grant z is over by the moment at, and counted until
// then beyond doubt: somebody's own, of whom nobody said how old they are,
// of no build, which may be voided for a time to come, and said after every opt-out.
func (m *model) ends(z *answer, optOuts []*answer, at deadline.Instant) bool {
	aged := slices.ContainsFunc(m.words, func(w *word) bool { return w.in == z.in && w.guardian == "" })
	return z.yes && !z.gone && z.by == "" && z.build == "" && z.over(at) && !aged && !slices.ContainsFunc(optOuts, func(n *answer) bool { return n.by != "" || !after(z, n) })
}

// counts reports whether a grant may count for who said it: a child's own does
// not, nor a guardian's for who is a child no more, nor that of somebody who
// was the guardian by mistake.
func (m *model) counts(y *answer) bool {
	child, grown := false, false
	for _, w := range m.words {
		if w.in == y.in && w.guardian == "" && w.voided == 0 {
			child, grown = child || w.child, grown || !w.child
		}
	}
	if y.by == "" {
		return !child || grown
	}
	return !grown && !m.mistaken(y.in, y.by)
}

// mistaken reports whether every word that says that somebody is the guardian
// was a mistake.
func (m *model) mistaken(who, guardian string) bool {
	any := false
	for _, w := range m.words {
		if w.in == who && w.guardian == guardian {
			if w.voided == 0 {
				return false
			}
			any = true
		}
	}
	return any
}

// lifts reports whether who said the grant y may take back the opt-out n: its own
// speaker may, and anybody after it was found to be a mistake, or once its
// speaker said yes too. A guardian's opt-out may lapse as soon as an age was told.
func (m *model) lifts(y, n *answer) bool {
	if y.by == n.by || n.voided != 0 && min(y.said, y.taken) > n.voided {
		return true
	}
	if n.by != "" && (m.mistaken(y.in, n.by) || y.by == "" && slices.ContainsFunc(m.words, func(w *word) bool { return w.in == y.in && w.guardian == "" && !w.child })) {
		return true
	}
	return slices.ContainsFunc(m.answers, func(z *answer) bool {
		return z.yes && !z.gone && z.in == y.in && z.by == n.by && after(z, n)
	})
}

// voids notes that records were mistakes.
func (m *model) voids(who string, ids []ident.EventID, at deadline.Instant) {
	hit := func(id eventstore.EventID) bool { return slices.Contains(ids, ident.EventID(id)) }
	for _, a := range m.answers {
		if a.in == who && hit(a.id) && a.voided == 0 {
			a.gone, a.voided = true, at
		}
	}
	for _, w := range m.words {
		if w.in == who && hit(w.id) && w.voided == 0 {
			w.voided = at
		}
	}
	for _, b := range m.bonds[who] {
		if b.voided == 0 && b.over != 0 && hit(b.end) {
			b.over, b.end = 0, eventstore.EventID{}
		}
		if b.voided == 0 && hit(b.id) {
			b.voided = at
			if b.over == 0 {
				b.over = at
			}
		}
	}
}

// voidsBuild notes that what a build recorded in a span was a mistake.
func (m *model) voidsBuild(v domain.BuildVoided) {
	for _, a := range m.answers {
		a.gone = a.gone || a.build == v.Build && v.From <= a.taken && a.taken < v.To
	}
}

// unlink notes that a link is over, in one side's history.
func (m *model) unlink(who, other string, id eventstore.EventID, at deadline.Instant) {
	for _, b := range m.bonds[who] {
		if b.other == other && b.over == 0 {
			b.over, b.end = at, id
			return
		}
	}
}

// confirmed reports whether every answer that a grant confirms is a grant of a
// history that was linked, by no mistake, and was none itself.
func (m *model) confirmed(y *answer) bool {
	for _, id := range y.confirms {
		if !slices.ContainsFunc(m.answers, func(a *answer) bool {
			return a.yes && a.voided == 0 && ident.EventID(a.id) == id &&
				slices.ContainsFunc(m.bonds[y.in], func(b *bond) bool { return b.other == a.in && b.voided == 0 })
		}) {
			return false
		}
	}
	return true
}
