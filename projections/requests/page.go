package requests

import (
	"cmp"
	"fmt"
	"slices"

	"consentledger/domain/deadline"
)

// A pick is a row that a query lets through, and where it stands in its order.
type pick struct {
	Place
	number int64
}

func (p Place) compare(x Place) int {
	switch {
	case p.Group != x.Group:
		return cmp.Compare(p.Group, x.Group)
	case p.State != x.State:
		return cmp.Compare(p.State, x.State)
	case p.Key != x.Key:
		return cmp.Compare(p.Key, x.Key)
	case p.Stream != x.Stream:
		return cmp.Compare(p.Stream, x.Stream)
	}
	return cmp.Compare(p.ID, x.ID)
}

// picks returns the first r.Limit rows after r.From in the query's order, or all
// of them.
func (r *reading) picks() ([]pick, error) {
	c := choice{reading: r}
	if _, err := r.look(&c, nil); err != nil {
		return nil, err
	}
	return c.done(), nil
}

// A choice is the first rows of a query, as far as it has seen them. No more than twice
// as many are kept at a time.
type choice struct {
	*reading
	list []pick
	last Place // of the list
	full bool  // the last of the list is the last that is wanted
}

func (c *choice) add(o *row, s State) {
	p := pick{c.Sort.at(o.of, s, o.over, o.opened), o.number}
	p.Stream, p.ID = o.stream, o.of.id
	c.pick(p)
}

func (c *choice) pick(p pick) {
	if c.full && p.compare(c.last) >= 0 || c.From.Stream != "" && p.compare(c.From) <= 0 {
		return
	}
	if c.list = append(c.list, p); c.Limit > 0 && len(c.list) >= 2*c.Limit {
		c.cut()
	}
}

func (c *choice) cut() {
	slices.SortFunc(c.list, func(a, b pick) int { return a.compare(b.Place) })
	if c.Limit > 0 && len(c.list) >= c.Limit {
		c.list, c.full = c.list[:c.Limit], true
		c.last = c.list[len(c.list)-1].Place
	}
}

func (c *choice) done() []pick {
	c.cut()
	return c.list
}

// A wholeGroup is a group of which the query lets all through.
type wholeGroup struct {
	*group
	state State
}

// begins returns where the first of the group may stand, and ends where the last may.
func (c *choice) begins(g wholeGroup) Place {
	return c.Sort.at(g.of, g.state, deadline.Instant(g.over.low), deadline.Instant(g.opened.low))
}

func (c *choice) ends(g wholeGroup) Place {
	return c.Sort.at(g.of, g.state, deadline.Instant(g.over.high), deadline.Instant(g.opened.high))
}

// fill adds the rows of groups, as long as one has any that may be among the first.
func (c *choice) fill(groups []wholeGroup) error {
	c.cut()
	slices.SortFunc(groups, func(a, b wholeGroup) int {
		return cmp.Or(c.begins(a).compare(c.begins(b)), cmp.Compare(a.number, b.number))
	})
	for _, g := range groups {
		first, last := c.begins(g), c.ends(g)
		if c.full && first.compare(c.last) > 0 {
			return nil
		}
		if last.Stream, last.ID = c.From.Stream, c.From.ID; last.compare(c.From) < 0 {
			continue // the page before was behind it already
		}
		if err := c.read(g, first); err != nil {
			return err
		}
		c.cut()
	}
	return nil
}

// read adds the rows of a group that come first, from where the page begins.
func (c *choice) read(g wholeGroup, first Place) error {
	key, stream, limit, end := first.Key, "", int64(greatest), int64(greatest)
	if c.From.Stream != "" && first.compare(c.From) < 0 {
		key, stream = c.From.Key, c.From.Stream
	}
	if c.Limit > 0 {
		limit = int64(c.Limit) + 1 // the one where the page before ended may be there
	}
	if c.full && first.Group == c.last.Group && first.State == c.last.State {
		end = c.last.Key
	}

	query := rowsByOver
	if c.Sort == ByOpened {
		query = rowsByOpened
	}
	return c.tx.Each(query, []any{g.number, key, end, key, stream, limit}, func(scan func(...any) error) error {
		p := pick{Place: first}
		p.ID = g.of.id
		err := scan(&p.Key, &p.Stream, &p.number)
		if err == nil {
			c.pick(p)
		}
		return err
	})
}

// The rows of a group in its order.
const (
	rowsByOver = "SELECT over, stream, newest FROM duties WHERE in_group = ? AND over >= ? AND over <= ? AND " +
		"(over, stream) >= (?, ?) ORDER BY over, stream LIMIT ?"
	rowsByOpened = "SELECT opened, stream, newest FROM duties WHERE in_group = ? AND opened >= ? AND opened <= ? AND " +
		"(opened, stream) >= (?, ?) ORDER BY opened, stream LIMIT ?"
)

// each calls do for every obligation of the query, in its order.
func (r *reading) each(do func(Obligation) error) error {
	picks, err := r.picks()
	if err != nil {
		return err
	}
	return r.read(picks, do)
}

// read calls do for the obligations of rows, in their order.
func (r *reading) read(picks []pick, do func(Obligation) error) error {
	for _, p := range picks {
		list, err := r.view.find(r.tx, byRow, "r.number = ?", p.number)
		if err == nil && len(list) == 0 {
			err = fmt.Errorf("row %d of the obligations is not there", p.number)
		}
		if err != nil {
			return err
		}
		o := list[0]
		r.judge(o)
		if err := do(*o); err != nil {
			return err
		}
	}
	return nil
}
