package vault

import (
	"maps"
	"sync"
	"sync/atomic"
)

// cacheSize is how many lookups, and how many pseudonyms, each of the two
// generations of a cache holds.
const cacheSize = 16384

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
	byLookup  generations[Lookup]
	pseudonym generations[named]
}

func (c *cache) find(l Lookup) *Person { return recall(c, &c.byLookup, l) }

func (c *cache) named(app string, name Pseudonym) *Person {
	return recall(c, &c.pseudonym, named{app, name})
}

func recall[K comparable](c *cache, g *generations[K], key K) *Person {
	c.mu.RLock()
	p, young := g.young[key]
	if !young {
		p = g.old[key]
	}
	c.mu.RUnlock()
	if young || p == nil {
		return p
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if g.old[key] == p { // still there: not forgotten meanwhile
		g.add(key, p)
	}
	return p
}

// keep remembers what was read when erasures was the count.
func (c *cache) keep(erasures uint64, l Lookup, p *Person) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.erasures.Load() == erasures {
		c.byLookup.add(l, p)
	}
}

func (c *cache) keepNamed(erasures uint64, p *Person) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.erasures.Load() == erasures {
		c.pseudonym.add(named{p.App, p.Pseudonym}, p)
	}
}

// forget drops p. It walks the whole cache: erasures are few.
func (c *cache) forget(p *Person) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erasures.Add(1)
	c.byLookup.drop(p)
	c.pseudonym.drop(p)
}

// Generations is a map that lets go of what was not asked for lately.
type generations[K comparable] struct{ young, old map[K]*Person }

func (g *generations[K]) add(key K, p *Person) {
	if g.young == nil || len(g.young) >= cacheSize {
		g.old, g.young = g.young, make(map[K]*Person, cacheSize)
	}
	g.young[key] = p
}

func (g *generations[K]) drop(p *Person) {
	same := func(_ K, q *Person) bool { return q.App == p.App && q.Pseudonym == p.Pseudonym }
	maps.DeleteFunc(g.young, same)
	maps.DeleteFunc(g.old, same)
}
