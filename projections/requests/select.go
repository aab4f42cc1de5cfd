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
// no order that is promised. The index is locked meanwhile: do asks nobody.
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
// of them. No more than twice as many are kept at a time.
func (r *reading) picks() []pick {
	var list []pick
	compare := func(a, b pick) int { return a.compare(b.Place) }
	full := false // the last of the list is the last that is wanted
	cut := func() {
		slices.SortFunc(list, compare)
		if r.Limit > 0 && len(list) >= r.Limit {
			list, full = list[:r.Limit], true
		}
	}

	var last Place
	r.rows(func(o *row, s State) {
		p := pick{r.Sort.at(o, s), o.number}
		if full && p.compare(last) > 0 { // whatever its name
			return
		}
		p.Stream, p.ID = o.duty.stream, o.of.id
		if full && p.compare(last) >= 0 || r.From.Stream != "" && p.compare(r.From) <= 0 {
			return
		}
		if list = append(list, p); r.Limit > 0 && len(list) >= 2*r.Limit {
			cut()
			last = list[len(list)-1].Place
		}
	})
	cut()
	return list
}

// each calls do for every obligation of the query, in its order.
func (r *reading) each(do func(Obligation) error) error {
	for _, p := range r.picks() {
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
