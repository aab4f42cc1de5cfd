package activity

import (
	"strings"

	"consentledger/projections/readmodel"
)

// many is how many rows a statement writes: one for each takes three times as long.
const many = 64

// A rows gathers rows of one table, to write many of them by one statement.
type rows struct {
	into  string // as in "INSERT INTO newest"
	width int    // how many columns there are
	args  []any
}

func (r *rows) add(row ...any) { r.args = append(r.args, row...) }

// write writes what was gathered.
func (r *rows) write(tx *readmodel.Tx) error {
	row := "(?" + strings.Repeat(", ?", r.width-1) + ")"
	one := r.into + " VALUES " + row
	all := one + strings.Repeat(", "+row, many-1)
	for len(r.args) > 0 {
		query, n := one, r.width
		if len(r.args) >= many*r.width {
			query, n = all, many*r.width
		}
		if _, err := tx.Exec(query, r.args[:n]...); err != nil {
			return err
		}
		r.args = r.args[n:]
	}
	return nil
}
