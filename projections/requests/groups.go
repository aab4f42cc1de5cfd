package requests

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"
)

// A group counts the obligations that stand alike. A report is counted and found by
// groups: their number grows with rules and months, and not with how much is owed, or
// ever was. Of what differs within a group it says between which bounds it lies: if all
// within them is in a report, or nothing is, none of the group's rows is read.
type group struct {
	number int64
	groupKey
	of *class

	n                                        int64
	over, risk, day, settled, opened, begins span
	days                                     []dayCount // as the table duty_counts has it; read for reports only

	changed eventstore.Position
}

// A groupKey is what the obligations of a group have in common.
type groupKey struct {
	class                            int64
	phase                            deadline.DueState
	outcome                          State
	held, provisional, binding, test bool
	due, ended                       int64 // periods of its end and of when it was settled
}

// A dayCount is how many obligations of a group took so many working days.
type dayCount struct {
	days int32
	n    int64
}

// A span is from the least to the greatest of what a group has had since it was empty.
type span struct{ low, high int64 }

// A share is how much of a group something lets through.
type share int8

const (
	none share = iota
	some
	all
)

// within says how much of a span lies from low to high.
func (s span) within(low, high int64) share {
	switch {
	case low <= s.low && s.high <= high:
		return all
	case s.high < low || high < s.low:
		return none
	}
	return some
}

func (s *span) add(x int64, first bool) {
	if first {
		*s = span{x, x}
	}
	s.low, s.high = min(s.low, x), max(s.high, x)
}

// Periods of due dates and of the time when something was settled: two to so many
// milliseconds. What is open is late, or at risk, about the same day in a group, so that
// groups in which it differs at a moment are few. What is settled stays: its groups are
// larger, so that there are fewer.
const (
	openPeriod    = 26 // some 19 hours
	settledPeriod = 30 // some 12 days
)

// keyOf returns the key of an obligation's group, of a row that is written at a time.
func keyOf(o *Obligation, recorded deadline.Instant) groupKey {
	k := groupKey{
		class:       o.of.number,
		phase:       o.Due.Phase,
		outcome:     o.Outcome,
		held:        o.Held,
		provisional: o.Due.Provisional,
		binding:     o.Binding,
		test:        o.Test,
		due:         int64(o.Due.Over) >> openPeriod,
	}
	if o.Outcome != 0 {
		k.due, k.ended = int64(o.Due.Over)>>settledPeriod, int64(recorded)>>settledPeriod
	}
	return k
}

// at returns the state of all in the group at a moment, and whether it is the same of all.
// The later a due date is the less urgent it is: what the earliest and the latest have
// in common holds of those between them.
func (g *group) at(at deadline.Instant) (State, bool) {
	if g.settled.low == 0 && g.settled.high != 0 {
		return 0, false
	}
	early := circumstances{deadline.Instant(g.settled.low), deadline.Instant(g.over.low), deadline.Instant(g.risk.low),
		g.phase, g.outcome, g.held, g.of.toKeep()}
	late := early
	late.settled, late.over, late.risk = deadline.Instant(g.settled.high), deadline.Instant(g.over.high),
		deadline.Instant(g.risk.high)
	state := early.at(at)
	return state, state == late.at(at)
}

// A countKey is where the newest row of an obligation is counted: in a row of duty_counts.
type countKey struct {
	group int64
	days  int
}

// count counts an obligation in the group of the row that is written, and no longer in
// that of the row before it.
func (b *batch) count(e codec.Entry, o *Obligation) error {
	if o.row > 0 {
		g, err := b.group("number = ?", o.counted.group)
		if err != nil {
			return err
		}
		g.n, g.changed = g.n-1, e.Position
		b.counts[o.counted]--
	}

	key := keyOf(o, e.Recorded)
	number, known := b.keys[key]
	var g *group
	var err error
	if known {
		g = b.groups[number]
	} else if g, err = b.group("sort = ? AND phase = ? AND outcome = ? AND held = ? AND provisional = ? AND "+
		"binding = ? AND test = ? AND due_period = ? AND ended_period = ?", key.class, phase(key.phase), outcome(key.outcome), flag(key.held),
		flag(key.provisional), flag(key.binding), flag(key.test), key.due, key.ended); errors.Is(err, errNoGroup) {
		b.size.groups++
		g, err = &group{number: b.size.groups, groupKey: key}, nil
		b.groups[g.number], b.keys[key] = g, g.number
	}
	if err != nil {
		return err
	}

	first := g.n == 0
	g.over.add(int64(o.Due.Over), first)
	g.risk.add(int64(o.Due.Risk), first)
	g.day.add(int64(o.Due.Day), first)
	g.settled.add(int64(o.Settled), first)
	g.opened.add(int64(o.Opened), first)
	g.begins.add(int64(e.Position), first)
	g.n, g.changed = g.n+1, e.Position
	o.counted = countKey{g.number, o.Days}
	b.counts[o.counted]++
	return nil
}

// A flag is a bool in a condition: 0 or 1.
func flag(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

var errNoGroup = errors.New("there is no such group of obligations")

const groupColumns = "number, sort, phase, outcome, held, provisional, binding, test, due_period, ended_period, n, " +
	"over_low, over_high, risk_low, risk_high, day_low, day_high, settled_low, settled_high, " +
	"opened_low, opened_high, from_low, from_high, changed"

func (g *group) columns() []any {
	return []any{
		&g.number, &g.class, (*phase)(&g.phase), (*outcome)(&g.outcome), &g.held, &g.provisional, &g.binding, &g.test,
		&g.due, &g.ended, &g.n,
		&g.over.low, &g.over.high, &g.risk.low, &g.risk.high, &g.day.low, &g.day.high, &g.settled.low, &g.settled.high,
		&g.opened.low, &g.opened.high, &g.begins.low, &g.begins.high, &g.changed,
	}
}

// writtenGroups returns the rows of groups to write: what changes of one replaces what
// was there.
func writtenGroups() readmodel.Rows {
	var set []string
	for _, name := range strings.Split(groupColumns, ", ")[10:] {
		set = append(set, name+" = excluded."+name)
	}
	return readmodel.RowsOf("INSERT INTO duty_groups", 24, " ON CONFLICT (number) DO UPDATE SET "+strings.Join(set, ", "))
}

// group returns the group that a condition names, as the batch has left it.
func (b *batch) group(where string, args ...any) (*group, error) {
	if number, is := args[0].(int64); is && len(args) == 1 && b.groups[number] != nil {
		return b.groups[number], nil
	}

	g := new(group)
	err := b.tx.Each("SELECT "+groupColumns+" FROM duty_groups WHERE "+where, args,
		func(scan func(...any) error) error { return scan(g.columns()...) })
	switch {
	case err != nil:
		return nil, err
	case g.number == 0:
		return nil, errNoGroup
	case b.groups[g.number] == nil:
		b.groups[g.number], b.keys[g.groupKey] = g, g.number
	}
	return b.groups[g.number], nil
}

// writeGroups writes the groups that the batch changed.
func (b *batch) writeGroups() error {
	r := &b.view.rows
	for _, number := range slices.Sorted(maps.Keys(b.groups)) {
		r.groups.Add(b.groups[number].columns()...)
	}
	for k, n := range b.counts {
		r.counts.Add(k.group, k.days, n)
	}

	if err := r.groups.Write(b.tx); err != nil {
		return err
	}
	return r.counts.Write(b.tx)
}

// A groupSet is the groups as they were at one position, those that are not empty. Nothing
// changes it.
type groupSet struct {
	at     eventstore.Position
	from   string // the writer of what was read; see [readmodel.Tx.Writer]
	groups map[int64]*group
}

// A groupCache keeps the groups of the newest positions that somebody asked at.
type groupCache struct {
	mu   sync.Mutex
	kept []*groupSet // oldest first
}

// Several positions are kept, since of those who ask at a time each has a snapshot of its
// own.
const cachedPositions = 3

// at returns the groups as they are in the snapshot of tx. Of the ones that it has of
// an earlier position only those that changed since are read.
func (s *groupCache) at(tx *readmodel.Tx, position eventstore.Position, classes []*class) (*groupSet, error) {
	fresh := &groupSet{at: position, from: tx.Writer(), groups: map[int64]*group{}}
	after := eventstore.Position(0)
	s.mu.Lock()
	for _, c := range s.kept {
		if c.from == fresh.from && c.at <= position {
			fresh.groups, after = c.groups, c.at
		}
		if c.from == fresh.from && c.at == position {
			fresh = c
		}
	}
	s.mu.Unlock()
	if after == position {
		return fresh, nil
	}

	fresh.groups = maps.Clone(fresh.groups)
	if err := fresh.read(tx, after, classes); err != nil {
		return nil, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = slices.DeleteFunc(s.kept, func(c *groupSet) bool { return c.from != fresh.from || c.at == position })
	s.kept = append(s.kept, fresh)
	slices.SortFunc(s.kept, func(a, b *groupSet) int {
		if a.at < b.at {
			return -1
		}
		return 1
	})
	s.kept = slices.Delete(s.kept, 0, max(0, len(s.kept)-cachedPositions))
	return fresh, nil
}

// read reads the groups that changed after a position.
func (c *groupSet) read(tx *readmodel.Tx, after eventstore.Position, classes []*class) error {
	condition := " WHERE g.changed > ?"
	if after == 0 {
		condition += " AND g.n > 0" // whoever has none drops none
	}

	err := tx.Each("SELECT "+groupColumns+" FROM duty_groups g"+condition, []any{int64(after)},
		func(scan func(...any) error) (err error) {
			g := new(group)
			if err := scan(g.columns()...); err != nil {
				return err
			}
			if g.n == 0 {
				delete(c.groups, g.number)
				return nil
			}
			c.groups[g.number] = g
			g.of, err = classAt(classes, g.class)
			return err
		})
	if err != nil {
		return err
	}

	return tx.Each("SELECT c.in_group, c.days, c.n FROM duty_groups g CROSS JOIN duty_counts c ON c.in_group = g.number"+
		condition+" AND c.n > 0", []any{int64(after)}, func(scan func(...any) error) error {
		var number int64
		var d dayCount
		if err := scan(&number, &d.days, &d.n); err != nil {
			return err
		}
		g := c.groups[number]
		if g == nil {
			return fmt.Errorf("group %d of the obligations is empty, and counts %d", number, d.n)
		}
		g.days = append(g.days, d)
		return nil
	})
}

// bounds of a span that has no other.
const (
	least    = math.MinInt64
	greatest = math.MaxInt64
)
