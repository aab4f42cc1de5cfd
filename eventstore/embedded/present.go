package embedded

import "consentledger/eventstore"

// presentPerAge is how many keys an age of [present] holds: some 3 MB each.
const presentPerAge = 32_768

// present remembers keys of rows that are there, so that a condition on them
// need not be looked up: the vault requires a person's entry for every part
// that it adds. It is owned by the lane, which makes every change.
type present struct{ young, old map[string]struct{} }

func (p *present) has(key []byte) bool {
	if _, ok := p.young[string(key)]; ok {
		return true
	}
	_, ok := p.old[string(key)]
	if ok {
		p.add(key)
	}
	return ok
}

func (p *present) add(key []byte) {
	if p.young == nil || len(p.young) >= presentPerAge {
		p.old, p.young = p.young, make(map[string]struct{})
	}
	p.young[string(key)] = struct{}{}
}

// follow takes over what a change that was made says: rows that it required
// are likely to be required again.
func (p *present) follow(c eventstore.Change) {
	for _, key := range c.Present {
		p.add(key)
	}
	for _, key := range c.Delete {
		delete(p.young, string(key))
		delete(p.old, string(key))
	}
}
