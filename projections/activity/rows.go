package activity

import (
	"strings"

	"consentledger/projections/readmodel"
)

// many is how many rows a statement writes: one for each takes three times as long.
const many = 64

// A rows gathers rows of one table, to write many of them by one statement.
type rows struct {
	one, all string // the statements
	width    int    // how many columns there are
	args     []any
}

// rowsOf returns the rows of a table, none yet: into is as in "INSERT INTO newest".
func rowsOf(into string, width int) rows {
	row := "(?" + strings.Repeat(", ?", width-1) + ")"
	one := into + " VALUES " + row
	return rows{one: one, all: one + strings.Repeat(", "+row, many-1), width: width}
}

func (r *rows) add(row ...any) { r.args = append(r.args, row...) }

// write writes what was gathered.
func (r *rows) write(tx *readmodel.Tx) error {
	for left := r.args; len(left) > 0; {
		query, n := r.one, r.width
		if len(left) >= many*r.width {
			query, n = r.all, many*r.width
		}
		if _, err := tx.Exec(query, left[:n]...); err != nil {
			return err
		}
		left = left[n:]
	}
	r.forget()
	return nil
}

// forget drops what was gathered, and keeps the room for more.
func (r *rows) forget() {
	clear(r.args)
	r.args = r.args[:0]
}
