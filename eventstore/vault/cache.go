package vault

import (
	"sync"
	"sync/atomic"

	"consentledger/eventstore/generations"
)

// cacheBytes is about how many bytes each of the two generations of a cache holds;
// there is one by lookups, and one by pseudonyms.
const cacheBytes = 8 << 20

// personBytes is about how many bytes a person takes. A test measures it.
const personBytes = 96

// placeBytes is about how many bytes a place in a cache takes, with its key.
const placeBytes = 96

type named struct {
	app  string
	name Pseudonym
}

// A cache remembers people. Zero is empty. It never holds a person who was
// erased before it was asked: forget counts an erasure, and keep takes nobody
// who was read before the last one.
type cache struct {
	erasures atomic.Uint64 // grows under mu

	mu        sync.RWMutex
	byLookup  generations.Map[Lookup, *Person]
	pseudonym generations.Map[named, *Person]
}

func (c *cache) find(l Lookup) *Person { return recall(c, &c.byLookup, l) }

func (c *cache) named(app string, name Pseudonym) *Person {
	return recall(c, &c.pseudonym, named{app, name})
}

func recall[K comparable](c *cache, g *generations.Map[K, *Person], key K) *Person {
	c.mu.RLock()
	p, known, young := g.PeekYoung(key)
	c.mu.RUnlock()
	if young || !known {
		return p
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if q, still := g.Peek(key); still && q == p { // not forgotten meanwhile
		g.Put(key, p)
	}
	return p
}

// keep remembers what was read when erasures was the count, by both of its names:
// whose history is not in memory is asked for by the other at once.
func (c *cache) keep(erasures uint64, l Lookup, p *Person) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.erasures.Load() != erasures {
		return
	}
	if c.byLookup.Each == 0 {
		c.byLookup.Each = cacheBytes
		c.byLookup.Weigh = func(l Lookup, _ *Person) int { return personBytes + placeBytes + len(l.ID) }
	}
	c.byLookup.Put(l, p)
	c.name(p)
}

// keepNamed is keep for who was read by their pseudonym.
func (c *cache) keepNamed(erasures uint64, p *Person) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.erasures.Load() == erasures {
		c.name(p)
	}
}

func (c *cache) name(p *Person) {
	if c.pseudonym.Each == 0 {
		c.pseudonym.Each = cacheBytes
		c.pseudonym.Weigh = func(named, *Person) int { return personBytes + placeBytes }
	}
	c.pseudonym.Put(named{p.App, p.Pseudonym}, p)
}

// forget drops p. It walks the whole cache: erasures are few.
func (c *cache) forget(p *Person) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erasures.Add(1)
	c.byLookup.DeleteFunc(func(_ Lookup, q *Person) bool { return q.is(p) })
	c.pseudonym.DeleteFunc(func(_ named, q *Person) bool { return q.is(p) })
}

func (p *Person) is(q *Person) bool { return q.App == p.App && q.Pseudonym == p.Pseudonym }
