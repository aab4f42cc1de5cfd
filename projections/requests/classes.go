package requests

import (
	"fmt"
	"sync"

	"consentledger/eventstore"
	"consentledger/projections/readmodel"
)

// classes are the rows of the table sorts in memory, by their numbers. There are some for
// each month and rule, however many persons and obligations there are. They are added
// and never changed, so that those of a later position serve a snapshot as well.
type classes struct {
	mu    sync.RWMutex
	asOf  eventstore.Position
	from  string // the writer of what was read; see [readmodel.Tx.Writer]
	list  []*class
	known map[common]*class
}

// read reads what the file holds more, up to the snapshot of tx.
func (c *classes) read(tx *readmodel.Tx, position eventstore.Position) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from != tx.Writer() { // what is here may be of entries that were lost
		c.asOf, c.list, c.known, c.from = 0, nil, nil, tx.Writer()
	}
	if c.asOf >= position {
		return nil
	}

	err := tx.Each("SELECT number, app, id, kind, types, target, rule, source, law, version, rule_set, keeps, "+
		"cause_kind, clock, month FROM sorts WHERE number > ? ORDER BY number",
		[]any{len(c.list)}, func(scan func(...any) error) error {
			s := new(class)
			err := scan(&s.number, &s.app, &s.id, &s.kind, &s.types, &s.target, &s.rule, &s.source, &s.law, &s.version,
				&s.ruleSet, &s.keeps, &s.causeKind, &s.clock, &s.month)
			if err == nil {
				c.add(s)
			}
			return err
		})
	if err == nil {
		c.asOf = position
	}
	return err
}

func (c *classes) add(s *class) {
	if c.known == nil {
		c.known = map[common]*class{}
	}
	c.list, c.known[s.common] = append(c.list, s), s
}

// all returns the classes by their numbers, less one.
func (c *classes) all() []*class {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.list
}

// find returns the class that has something; nil: there is none yet.
func (c *classes) find(what common) *class {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.known[what]
}

// classAt returns the class of a number.
func classAt(list []*class, n int64) (*class, error) {
	if n < 1 || n > int64(len(list)) {
		return nil, fmt.Errorf("an obligation is of class %d of %d", n, len(list))
	}
	return list[n-1], nil
}
