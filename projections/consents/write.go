package consents

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"consentledger/projections/readmodel"
)

// write writes what the batch changed.
func (b *batch) write() error {
	if err := b.writePeople(); err != nil {
		return err
	}
	return b.writeCounts()
}

func (b *batch) writePeople() error {
	if err := b.settle(); err != nil {
		return err
	}

	// In the order of keys each page is written once.
	b.order = slices.AppendSeq(b.order[:0], maps.Values(b.people))
	slices.SortFunc(b.order, func(x, y *person) int { return cmp.Compare(x.number, y.number) })
	for _, p := range b.order {
		if !p.written {
			p.written = true
			b.persons.Add(p.number, string(p.app), p.person, p.test, p.linked, p.minor, p.builds)
		}
		for i := range p.rows {
			if r := &p.rows[i]; r.changed {
				r.changed = false
				b.writeRow(p, r)
			}
		}
	}
	if err := b.persons.Write(b.tx); err != nil {
		return err
	}
	return b.standings.Write(b.tx)
}

func (b *batch) writeRow(p *person, r *row) {
	var signal, event any // null: nothing is at odds
	if r.opposedBy != "" {
		signal, event = r.opposedBy, []byte(r.opposedByEvent)
	}
	var askedBy any // null: nobody asked
	if r.asked != 0 {
		askedBy = r.askedBy[:]
	}
	b.standings.Add(p.number, string(r.purpose), string(p.app), r.status.String(), int64(r.since), int64(r.until),
		r.terms, r.guardian, []byte(r.events), signal, event, int64(r.moment), int64(r.position),
		int64(r.bound), int64(r.asked), askedBy, int64(r.first))
}

func (b *batch) writeCounts() error {
	for g, n := range b.counts {
		if err := counts.add(b.tx, n, g.key()...); err != nil {
			return err
		}
	}
	for _, p := range []period{byMoment, byDay, byMonth} {
		for s, n := range p.sums(b.ends) {
			if err := ends.add(b.tx, n, append(s.key(), string(p), int64(s.at))...); err != nil {
				return err
			}
		}
	}
	for _, p := range []period{byDay, byMonth} {
		for s, n := range p.sums(b.moves) {
			if err := moves.add(b.tx, n, append(s.key(), string(p), int64(s.at), flag(s.over))...); err != nil {
				return err
			}
		}
	}
	for a, n := range b.voided {
		if err := voided.add(b.tx, n, string(a.app), a.status.String()); err != nil {
			return err
		}
	}
	return nil
}

// key returns the columns of a group.
func (g group) key() []any {
	return []any{string(g.app), string(g.purpose), g.status.String(), g.terms, int64(g.bound), int64(g.asked), g.signal}
}

// flag returns a flag as tables have it.
func flag(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

const groupColumns = "app, purpose, status, terms, bound, asked, signal"

var (
	counts = tallyOf("counts", groupColumns, "people")
	ends   = tallyOf("ends", groupColumns+", period, at", "people")
	moves  = tallyOf("moves", groupColumns+", period, at, over", "people")
	voided = tallyOf("voided_answers", "app, status", "answers")
)

// A tally is a table that counts something by a key. What there is none of has no row.
type tally struct{ change, remove string }

func tallyOf(table, key, counted string) tally {
	columns := strings.Split(key, ", ")
	return tally{
		change: "INSERT INTO " + table + " (" + key + ", " + counted + ") VALUES (?" + strings.Repeat(", ?", len(columns)) +
			") ON CONFLICT (" + key + ") DO UPDATE SET " + counted + " = " + table + "." + counted + " + excluded." + counted +
			" RETURNING " + counted,
		remove: "DELETE FROM " + table + " WHERE " + is(columns),
	}
}

// add counts n more by a key, or fewer.
func (t tally) add(tx *readmodel.Tx, n int64, key ...any) error {
	if n == 0 {
		return nil
	}

	var left int64
	err := tx.Row(t.change, append(key, n), &left)
	if err != nil || left != 0 {
		return err
	}
	_, err = tx.Exec(t.remove, key...)
	return err
}
