package requests

import (
	"slices"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// A row is a row of obligations, as far as it is found, sorted and counted by it.
type row struct {
	circumstances
	of     *class
	stream string
	opened deadline.Instant
	number int64
	from   eventstore.Position
	day    deadline.Date
	days   int32

	provisional, binding, test bool
}

// Circumstances are what an obligation's state follows from.
type circumstances struct {
	settled, over, risk deadline.Instant
	phase               deadline.DueState
	outcome             State
	held                bool
	keep                bool // it is done when its date has come, and never late
}

// at returns the state at a moment.
func (c *circumstances) at(at deadline.Instant) State {
	switch {
	case c.settled != 0 && c.settled <= at:
		return c.outcome
	case c.phase == deadline.NotStarted:
		return StateNotStarted
	case c.phase == deadline.Suspended && c.held:
		return StateHeld
	case c.phase == deadline.Suspended:
		return StatePaused
	case c.keep:
		return StateOpen
	case c.over <= at:
		return StateOverdue
	case c.risk <= at:
		return StateAtRisk
	}
	return StateOpen
}

func (o *Obligation) circumstances() circumstances {
	return circumstances{o.Settled, o.Due.Over, o.Due.Risk, o.Due.Phase, o.Outcome, o.Held, o.of.toKeep()}
}

// toKeep reports whether what is owed is to keep something.
func (s *class) toKeep() bool { return s.kind == policy.DutyKeep }

// look goes over what the query lets through: it counts it in heaps, and adds to the
// choice what may be among the first. Either may be nil. Tests are what is owed to tests,
// whatever else the query asks for.
func (r *reading) look(c *choice, heaps map[heap]int64) (tests int64, err error) {
	alone := func(o *row) {
		switch {
		case o.of.app != r.App || o.from > r.asOf || o.opened > r.At:
		case o.test:
			tests++
		default:
			state := o.at(r.At)
			if !r.wants(o, state) {
				return
			}
			if heaps != nil {
				heaps[heap{o.of, state, o.binding, o.days}]++
			}
			if c != nil {
				c.add(o, state)
			}
		}
	}
	if err := r.alone(alone); err != nil {
		return 0, err
	}

	groups, err := r.view.groups.at(r.tx, r.newest, r.view.classes.all())
	if err != nil {
		return 0, err
	}

	var whole []wholeGroup
	for _, g := range groups.groups {
		state, share := r.share(g)
		switch {
		case share == none:
		case share == some:
			if err := r.view.scan(r.tx, g, alone); err != nil {
				return 0, err
			}
		case g.test:
			tests += g.n
		default:
			for _, d := range g.days {
				if heaps != nil {
					heaps[heap{g.of, state, g.binding, d.days}] += d.n
				}
			}
			whole = append(whole, wholeGroup{g, state})
		}
	}
	if c != nil {
		err = c.fill(whole)
	}
	return tests, err
}

// narrow reports whether the query is about so few that its rows are read, and nothing
// of groups but how much is owed to tests.
func (r *reading) narrow() bool { return r.Person != "" || r.Stream != "" }

// alone calls do for the rows that no group has as they were, or that are asked for by
// name.
func (r *reading) alone(do func(*row)) error {
	if r.narrow() {
		query, args := byDuty+" WHERE r.from_position <= ? AND r.to_position > ?", []any{int64(r.asOf), int64(r.asOf)}
		if r.Person != "" {
			query, args = query+" AND d.person = ? AND d.person <> ''", append(args, r.Person)
		}
		if r.Stream != "" {
			query, args = query+" AND d.stream = ?", append(args, r.Stream)
		}
		err := r.view.each(r.tx, query, args, func(o *row) {
			if !o.test { // which are counted below
				do(o)
			}
		})
		if err != nil {
			return err
		}
	}

	if r.asOf == r.newest {
		return nil
	}
	return r.view.replaced(r.tx, r.asOf, func(o *row) {
		if o.test || !r.narrow() {
			do(o)
		}
	})
}

// share says how much of a group the query lets through, and in which state it is, if it is
// all in one.
func (r *reading) share(g *group) (State, share) {
	if g.of.app != r.App || !g.test && r.narrow() {
		return 0, none
	}
	share := min(g.begins.within(0, int64(r.asOf)), g.opened.within(least, int64(r.At)))
	if g.test {
		return 0, share
	}
	if !r.wantsClass(g.of) || !r.wantsMarks(g.provisional, g.binding) {
		return 0, none
	}

	state, same := g.at(r.At)
	switch {
	case !same:
		share = min(share, some)
	case !r.wantsState(state):
		return 0, none
	}

	if r.Before != 0 {
		share = min(share, g.day.within(1, int64(r.Before)-1))
	}
	if r.After != 0 {
		share = min(share, g.day.within(int64(r.After)+1, greatest))
	}
	if r.Since != 0 && g.settled.high != 0 {
		share = min(share, g.settled.within(int64(r.Since), greatest))
	}
	return state, share
}

// scan calls do for every row of a group.
func (v *View) scan(tx *readmodel.Tx, g *group, do func(*row)) error {
	return tx.Each("SELECT stream, opened, newest, from_position, day, over, risk, settled, days FROM duties "+
		"WHERE in_group = ?", []any{g.number}, func(scan func(...any) error) error {
		r := row{of: g.of, provisional: g.provisional, binding: g.binding, test: g.test}
		r.phase, r.outcome, r.held, r.keep = g.phase, g.outcome, g.held, g.of.toKeep()
		err := scan(&r.stream, &r.opened, &r.number, &r.from, &r.day, &r.over, &r.risk, &r.settled, &r.days)
		if err == nil {
			do(&r)
		}
		return err
	})
}

func (r *reading) wantsState(s State) bool { return len(r.States) == 0 || slices.Contains(r.States, s) }

func (r *reading) wantsClass(s *class) bool {
	return (len(r.Lanes) == 0 || slices.Contains(r.Lanes, s.group())) &&
		(!r.Dated || s.dated()) &&
		(r.Kind == "" || s.kind == r.Kind) &&
		(r.Rule == "" || s.rule == r.Rule) &&
		(r.ID == "" || s.id == r.ID) &&
		(r.Type == "" || strings.Contains(s.types, ","+r.Type+","))
}

func (r *reading) wantsMarks(provisional, binding bool) bool {
	return (r.Provisional == Either || provisional == (r.Provisional == Yes)) && (!r.Binding || binding)
}

// wants reports whether the query lets a row through.
func (r *reading) wants(o *row, state State) bool {
	return r.wantsState(state) && r.wantsClass(o.of) && r.wantsMarks(o.provisional, o.binding) &&
		(r.Before == 0 || o.day != 0 && o.day < r.Before) &&
		(r.After == 0 || o.day > r.After) &&
		(r.Since == 0 || o.settled == 0 || o.settled >= r.Since)
}
