package requests

import (
	"cmp"
	"slices"
	"strings"
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

// rows calls do for every row that the query lets through, with its state, in
// no order that is guaranteed. The index is locked meanwhile: do asks nobody.
func (r *reading) rows(do func(*row, State)) (tests int64) {
	x := &r.view.index
	x.mu.RLock()
	defer x.mu.RUnlock()
	w := x.apps[r.App]
	if w == nil {
		return 0
	}

	for i := range w.rows {
		o := &w.rows[i]
		switch {
		case o.from > r.asOf || o.to <= r.asOf || o.opened > r.At:
		case o.test:
			tests++
		default:
			if state := o.at(r.At); r.wants(o, state) {
				do(o, state)
			}
		}
	}
	return tests
}

// wants reports whether the query lets a row through.
func (r *reading) wants(o *row, state State) bool {
	return (len(r.States) == 0 || slices.Contains(r.States, state)) &&
		(len(r.Lanes) == 0 || slices.Contains(r.Lanes, o.of.group())) &&
		(r.Kind == "" || o.of.kind == r.Kind) &&
		(r.Rule == "" || o.of.rule == r.Rule) &&
		(r.Person == "" || o.duty.person == r.Person) &&
		(r.Stream == "" || o.duty.stream == r.Stream) &&
		(r.ID == "" || o.of.id == r.ID) &&
		(r.Type == "" || strings.Contains(o.of.types, ","+r.Type+",")) &&
		(r.Provisional == Either || o.provisional == (r.Provisional == Yes)) &&
		(r.Before == 0 || o.day != 0 && o.day < r.Before) &&
		(r.After == 0 || o.day > r.After) &&
		(!r.Binding || o.binding) &&
		(r.Since == 0 || o.settled == 0 || o.settled >= r.Since)
}

// picks returns the first r.Limit rows after r.From in the query's order, or all
// of them.
func (r *reading) picks() []pick {
	c := choice{reading: r}
	r.rows(c.add)
	return c.done()
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
	p := pick{c.Sort.at(o, s), o.number}
	if c.full && p.compare(c.last) > 0 { // whatever its name
		return
	}
	p.Stream, p.ID = o.duty.stream, o.of.id
	if c.full && p.compare(c.last) >= 0 || c.From.Stream != "" && p.compare(c.From) <= 0 {
		return
	}
	if c.list = append(c.list, p); c.Limit > 0 && len(c.list) >= 2*c.Limit {
		c.cut()
		c.last = c.list[len(c.list)-1].Place
	}
}

func (c *choice) cut() {
	slices.SortFunc(c.list, func(a, b pick) int { return a.compare(b.Place) })
	if c.Limit > 0 && len(c.list) >= c.Limit {
		c.list, c.full = c.list[:c.Limit], true
	}
}

func (c *choice) done() []pick {
	c.cut()
	return c.list
}

// each calls do for every obligation of the query, in its order.
func (r *reading) each(do func(Obligation) error) error { return r.read(r.picks(), do) }

// read calls do for the obligations of rows, in their order.
func (r *reading) read(picks []pick, do func(Obligation) error) error {
	for _, p := range picks {
		o, err := r.view.index.open(r.tx, p.number)
		if err != nil {
			return err
		}
		r.judge(o)
		if err := do(*o); err != nil {
			return err
		}
	}
	return nil
}
