package consents

import "consentledger/domain"

// A key names a person of an app.
type key struct {
	app    domain.AppName
	person string
}

// A person is the fold of one person's facts, and what the rows say.
type person struct {
	subject domain.Subject
	moment  domain.Instant // the latest at which a fact of theirs counts
	rows    map[domain.PurposeID]domain.Status
	facts   int
	weighed int // what the cache counts for it
}

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

// weight bounds the people kept in memory, by their facts: about 16 MB.
const weight = 16384

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
