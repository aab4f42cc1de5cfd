package consents

import (
	"cmp"
	"database/sql"
	"encoding/hex"
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
	dirty   bool           // some of them were touched
	facts   int
	weighed int // what the cache counts for it
}

// A row is where a person stands with a purpose, and the last fact about it.
type row struct {
	purpose  domain.PurposeID
	proof    string // of the standing, as it is written: see [proofV1]
	position eventstore.Position
	moment   domain.Instant // that it is as of, if it was touched
	status   domain.Status
	touched  bool // and not settled yet
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
		p.rows = slices.Insert(p.rows, i, row{purpose: id, status: unwritten})
	}
	return &p.rows[i]
}

func (p *person) find(id domain.PurposeID) (int, bool) {
	return slices.BinarySearchFunc(p.rows, id, func(r row, id domain.PurposeID) int { return cmp.Compare(r.purpose, id) })
}

func newPerson(k key) *person { return &person{key: k} }

func (p *person) add(f domain.Fact) {
	p.subject = p.subject.Evolve(f)
	p.moment = max(p.moment, moment(f))
	p.facts++
}

// load reads the person from the file. Who is not there keeps the number zero.
func (p *person) load(tx *readmodel.Tx, said sayings) error {
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
	var facts []domain.Fact // the newest first
	err = tx.Each(`WITH RECURSIVE chain(previous, event, at, recorded, source, sequence, rules, said) AS (
			SELECT previous, event, at, recorded, source, sequence, rules, said FROM facts WHERE position = ?
			UNION ALL SELECT f.previous, f.event, f.at, f.recorded, f.source, f.sequence, f.rules, f.said FROM chain c JOIN facts f ON f.position = c.previous
		) SELECT event, at, recorded, source, sequence, rules, said FROM chain`, []any{int64(p.last)}, func(scan func(...any) error) error {
		f, err := scanFact(scan, said)
		facts = append(facts, f)
		return err
	})
	for _, f := range slices.Backward(facts) {
		p.add(f)
	}
	return err
}

func scanFact(scan func(...any) error, said sayings) (f domain.Fact, err error) {
	var event, source string
	var text sql.RawBytes
	if err = scan(&event, &f.At, &f.Recorded, &source, &f.Sequence, &f.Rules, &text); err != nil {
		return f, err
	}
	id, err := eventstore.ParseEventID(event)
	if err != nil {
		return f, err
	}
	f.ID = domain.EventID(id)
	if _, err = hex.Decode(f.Source[:], []byte(source)); err != nil {
		return f, err
	}
	s, err := said.saying(text, nil)
	f.Event = s.event
	return f, err
}

// sourceText writes whoever sent an event, nobody as nothing.
func sourceText(s domain.Source) string {
	if s == (domain.Source{}) {
		return ""
	}
	return hex.EncodeToString(s[:])
}

// weight bounds the people kept in memory: about 80 MB. A fact takes some 300
// bytes, and a person without them some three times as much.
const weight = 262144

// people is a cache of those heard of last, in two generations. It is owned
// by Apply.
type people struct {
	young, old map[key]*person
	weighed    int // of the young
}

func (c *people) get(k key) (*person, bool) {
	if p, ok := c.young[k]; ok {
		return p, true
	}
	p, ok := c.old[k]
	return p, ok
}

func (c *people) put(k key, p *person) {
	if c.young == nil || c.weighed > weight/2 {
		c.young, c.old, c.weighed = map[key]*person{}, c.young, 0
	}
	if _, there := c.young[k]; there {
		c.weighed -= p.weighed
	}
	c.young[k], p.weighed = p, p.facts+3
	c.weighed += p.weighed
}

// forget empties the cache: what is in it may be ahead of the file.
func (c *people) forget() { *c = people{} }
