package activity

import (
	"cmp"
	"maps"
	"slices"

	"consentledger/domain/ident"
	"consentledger/eventstore"
)

// A whom names a person of an app.
type whom struct {
	app    ident.AppName
	person string
}

// A person is whose events are counted. Of theirs the file holds a chain, the
// newest first: an index of people, who come in no order, would change a page
// for every event.
type person struct {
	number int64
	last   eventstore.Position // of their newest event; 0: none
	tests  int                 // how many events say that it is none but a test
}

// whose returns a person, from memory or from the file, or a new one.
func (b *batch) whose(w whom) (*person, error) {
	if p, ok := b.touched[w]; ok {
		return p, nil
	}
	p, ok := b.view.people.Get(w)
	if !ok {
		var err error
		if p, err = b.find(w); err != nil {
			return nil, err
		}
		b.view.people.Put(w, p)
	}
	b.touched[w] = p
	return p, nil
}

// find returns a person from the file. Nearly always who is not remembered is
// new: so it is written first.
func (b *batch) find(w whom) (*person, error) {
	n, err := b.tx.Exec("INSERT INTO people VALUES (?, ?, ?) ON CONFLICT DO NOTHING", b.persons+1, string(w.app),
		w.person)
	if err != nil {
		return nil, err
	}
	if n == 1 {
		b.persons++
		return &person{number: b.persons}, nil
	}
	p := &person{}
	return p, b.tx.Row(`SELECT p.number, coalesce(n.last, 0), (SELECT count(*) FROM tests t WHERE t.person = p.number)
		FROM people p LEFT JOIN newest n USING (number) WHERE p.app = ? AND p.person = ?`, []any{string(w.app), w.person}, &p.number, &p.last, &p.tests)
}

// writePeople writes which event is the newest of everybody whom the batch
// touched.
func (b *batch) writePeople() error {
	b.order = slices.AppendSeq(b.order[:0], maps.Values(b.touched))
	slices.SortFunc(b.order, func(p, q *person) int { return cmp.Compare(p.number, q.number) })
	for _, p := range b.order {
		if p.last != 0 {
			b.newest.Add(p.number, int64(p.last))
		}
	}
	return b.newest.Write(b.tx)
}

// chain lists the events of a person, whose newest is its argument.
const chain = `WITH RECURSIVE chain (position, previous) AS (
		SELECT position, previous FROM events WHERE position = ?
		UNION ALL SELECT e.position, e.previous FROM chain c JOIN events e ON e.position = c.previous
	) `
