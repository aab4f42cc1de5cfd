package requests

import (
	"math/bits"
	"strings"

	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// fork returns where the rows of a past position are looked for that were replaced since:
// of the positions from one to before another the one that divides by the greatest power
// of two; zero of a row that was not replaced, or at once, so that it holds none. All rows that hold a position have one
// of few forks, see [forks]. (It is the interval tree of Kriegel, Pötke and Seidl, which
// is a number in a column.)
func fork(from, to eventstore.Position) int64 {
	if to == forever || to == from {
		return 0
	}
	last := to - 1
	size := bits.Len64(uint64((from-1)^last)) - 1
	return int64(last >> size << size)
}

// height is how many powers of two a position may be divided by.
const height = 63

// forks returns every fork that a row may have that holds a position: those up to it, and
// those after it. Zeros, which no row has, fill them up.
func forks(p eventstore.Position) (before, after []any) {
	for i := range height {
		above := uint64(p) >> i >> 1 << 1 << i
		f := int64(above | 1<<i)
		if f <= int64(p) {
			before, after = append(before, f), append(after, int64(0))
		} else {
			before, after = append(before, int64(0)), append(after, f)
		}
	}
	return before, after
}

var inForks = " WHERE r.fork <> 0 AND r.fork IN (?" + strings.Repeat(", ?", height-1) + ")"

// replaced calls do for every row that held a position, and that another has replaced since.
func (v *View) replaced(tx *readmodel.Tx, p eventstore.Position, do func(*row)) error {
	before, after := forks(p)
	if err := v.each(tx, byRow+inForks+" AND r.to_position > ?", append(before, int64(p)), do); err != nil {
		return err
	}
	return v.each(tx, byRow+inForks+" AND r.from_position <= ?", append(after, int64(p)), do)
}

// each calls do for rows of obligations.
func (v *View) each(tx *readmodel.Tx, from string, args []any, do func(*row)) error {
	classes := v.classes.all()
	return tx.Each("SELECT d.sort, d.stream, d.opened, r.number, r.from_position, r.test, r.phase, r.day, r.over, r.risk, "+
		"r.provisional, r.held, r.binding, r.outcome, r.settled, r.days FROM "+from, args,
		func(scan func(...any) error) (err error) {
			var of int64
			var r row
			err = scan(&of, &r.stream, &r.opened, &r.number, &r.from, &r.test, (*phase)(&r.phase), &r.day, &r.over, &r.risk,
				&r.provisional, &r.held, &r.binding, (*outcome)(&r.outcome), &r.settled, &r.days)
			if err != nil {
				return err
			}
			if r.of, err = classAt(classes, of); err != nil {
				return err
			}
			r.keep = r.of.toKeep()
			do(&r)
			return nil
		})
}
