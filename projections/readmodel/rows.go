package readmodel

import "strings"

// many is how many rows a statement writes: one for each takes three times as long.
const many = 64

// A Rows gathers rows of one table, to write many of them by one statement. It
// keeps its room for the next batch.
type Rows struct {
	one, all string // the statements
	width    int
	args     []any
}

// RowsOf returns the rows of a table, none yet: into is as in "INSERT INTO
// newest", width how many columns the table has, and then what follows the values,
// as in " ON CONFLICT DO NOTHING".
func RowsOf(into string, width int, then string) Rows {
	row := "(?" + strings.Repeat(", ?", width-1) + ")"
	one := into + " VALUES " + row
	return Rows{one: one + then, all: one + strings.Repeat(", "+row, many-1) + then, width: width}
}

// Add gathers a row. What its arguments point to does not change until it is
// written.
func (r *Rows) Add(row ...any) { r.args = append(r.args, row...) }

// Write writes what was gathered, in its order.
func (r *Rows) Write(tx *Tx) error {
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
	r.Forget()
	return nil
}

// Forget drops what was gathered.
func (r *Rows) Forget() {
	clear(r.args)
	r.args = r.args[:0]
}
