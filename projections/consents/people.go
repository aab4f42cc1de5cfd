package consents

import (
	"cmp"
	"slices"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// A key names a person of an app.
type key struct {
	app    domain.AppName
	person string
}

// A person is the fold of one person's facts, and what the file says.
type person struct {
	key
	number  int64
	fresh   bool                // not in the file yet
	last    eventstore.Position // of the last fact
	subject domain.Subject
	moment  domain.Instant // the latest at which a fact of theirs counts
	rows    []row          // in the order of purposes: they are few
	touched []touch        // of the batch, one for a row, not settled yet
	facts   int
	weighed int // what the cache counts for it
}

// A row is where a person stands with a purpose, and the last fact about it.
type row struct {
	purpose domain.PurposeID
	domain.Standing
	position eventstore.Position
}

// unwritten is the status of a row that was touched and not settled yet.
const unwritten domain.Status = 255

// purposes returns those that the person's rows are about.
func (p *person) purposes() []domain.PurposeID {
	ids := make([]domain.PurposeID, len(p.rows))
	for i := range p.rows {
		ids[i] = p.rows[i].purpose
	}
	return ids
}

// row returns the person's row about a purpose, unwritten if there was none.
// It is good until the next is asked for.
func (p *person) row(id domain.PurposeID) *row {
	i, there := p.find(id)
	if !there {
		p.rows = slices.Insert(p.rows, i, row{purpose: id, Standing: domain.Standing{Status: unwritten}})
	}
	return &p.rows[i]
}

func (p *person) find(id domain.PurposeID) (int, bool) {
	return slices.BinarySearchFunc(p.rows, id, func(r row, id domain.PurposeID) int { return cmp.Compare(r.purpose, id) })
}

func newPerson(k key) *person { return &person{key: k} }

func (p *person) add(f factV1) error {
	fact, err := f.fact()
	if err != nil {
		return err
	}
	p.subject = p.subject.Evolve(fact)
	p.moment = max(p.moment, f.moment())
	p.facts++
	return nil
}

// load reads the person from the file. Who is not there keeps the number zero.
func (p *person) load(tx *readmodel.Tx) error {
	var standings string
	err := tx.Each("SELECT number, last, standings FROM people WHERE app = ? AND person = ?", []any{string(p.app), p.person}, func(scan func(...any) error) error {
		return scan(&p.number, &p.last, &standings)
	})
	if err != nil || p.number == 0 {
		return err
	}
	if p.rows, err = readStandings(standings); err != nil {
		return err
	}
	return tx.Each(`WITH RECURSIVE chain(position, previous, fact) AS (
			SELECT position, previous, fact FROM facts WHERE position = ?
			UNION ALL SELECT f.position, f.previous, f.fact FROM chain c JOIN facts f ON f.position = c.previous
		) SELECT fact FROM chain ORDER BY position`, []any{int64(p.last)}, func(scan func(...any) error) error {
		var text []byte
		if err := scan(&text); err != nil {
			return err
		}
		f, err := readFact(text)
		if err != nil {
			return err
		}
		return p.add(f)
	})
}

// weight bounds the people kept in memory, by their facts: about 16 MB.
const weight = 131072

// people is a cache of those heard of last, in two generations. It is owned
// by Apply.
type people struct {
	young, old map[key]*person
	facts      int // of the young
}

func (c *people) get(k key) (*person, bool) {
	if p, ok := c.young[k]; ok {
		return p, true
	}
	p, ok := c.old[k]
	return p, ok
}

func (c *people) put(k key, p *person) {
	if c.young == nil || c.facts > weight/2 {
		c.young, c.old, c.facts = map[key]*person{}, c.young, 0
	}
	if _, there := c.young[k]; there {
		c.facts -= p.weighed
	}
	c.young[k], p.weighed = p, p.facts+1
	c.facts += p.weighed
}

// forget empties the cache: what is in it may be ahead of the file.
func (c *people) forget() { *c = people{} }
