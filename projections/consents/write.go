package consents

import (
	"cmp"
	"maps"
	"slices"
)

// write writes what the batch changed.
func (b *batch) write() error {
	if err := b.writePeople(); err != nil {
		return err
	}
	if err := b.writeCounts(); err != nil {
		return err
	}
	return b.writeVoided()
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
	b.standings.Add(p.number, string(r.purpose), r.status.String(), int64(r.since), int64(r.until), r.terms,
		r.guardian, []byte(r.events), signal, event, int64(r.moment), int64(r.position),
		int64(r.asked), askedBy)
}

func (b *batch) writeCounts() error {
	for k, n := range b.counts {
		if n == 0 {
			continue
		}
		if _, err := b.tx.Exec("INSERT INTO counts VALUES (?, ?, ?, ?, ?) ON CONFLICT (app, purpose, status, terms) "+
			"DO UPDATE SET people = counts.people + excluded.people",
			string(k.app), string(k.purpose), k.status.String(), k.terms, n); err != nil {
			return err
		}
	}
	if _, err := b.tx.Exec("DELETE FROM counts WHERE people = 0"); err != nil {
		return err
	}
	if err := b.writeEnds(); err != nil {
		return err
	}
	if err := b.writeMoves(); err != nil {
		return err
	}
	return b.writeOpposed()
}

// writeEnds writes when people are past their consents. There may be many moments: a row that counts
// nobody any more is looked for by its key.
func (b *batch) writeEnds() error {
	for k, n := range b.ends {
		if n == 0 {
			continue
		}
		key := []any{string(k.app), k.whole, int64(k.at), string(k.purpose), k.status.String(), k.terms}
		if _, err := b.tx.Exec("INSERT INTO ends VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (app, whole, at, purpose, "+
			"status, terms) DO UPDATE SET people = ends.people + excluded.people", append(key, n)...); err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		if _, err := b.tx.Exec("DELETE FROM ends WHERE app = ? AND whole = ? AND at = ? AND purpose = ? AND "+
			"status = ? AND terms = ? AND people = 0", key...); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writeOpposed() error {
	for k, n := range b.odds {
		if n == 0 {
			continue
		}
		key := []any{string(k.app), string(k.purpose), k.status.String(), k.terms, k.signal, int64(k.until)}
		if _, err := b.tx.Exec("INSERT INTO opposed_counts VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (app, purpose, "+
			"status, terms, signal, until) DO UPDATE SET people = opposed_counts.people + excluded.people",
			append(key, n)...); err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		if _, err := b.tx.Exec("DELETE FROM opposed_counts WHERE app = ? AND purpose = ? AND status = ? AND terms = ? "+
			"AND signal = ? AND until = ? AND people = 0", key...); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writeVoided() error {
	for k, n := range b.voided {
		if n == 0 {
			continue
		}
		if _, err := b.tx.Exec("INSERT INTO voided_answers VALUES (?, ?, ?) ON CONFLICT (app, status) DO UPDATE SET "+
			"answers = voided_answers.answers + excluded.answers",
			string(k.app), k.status.String(), n); err != nil {
			return err
		}
	}
	_, err := b.tx.Exec("DELETE FROM voided_answers WHERE answers = 0")
	return err
}
