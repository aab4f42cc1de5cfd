// Package generations remembers what was asked for last, within a bound: two
// generations of a map, the older of which is dropped when the younger is full.
package generations

// A Map holds between Each and twice as many keys, once it was asked for so
// many: those that were asked for last. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	Each int // how many keys a generation holds

	young, old map[K]V
}

// Get returns what is remembered of k, and remembers it for longer.
func (m *Map[K, V]) Get(k K) (v V, ok bool) {
	if v, ok = m.young[k]; ok {
		return v, true
	}
	if v, ok = m.old[k]; ok {
		m.Put(k, v)
	}
	return v, ok
}

// Peek is Get, but that k is not remembered for longer.
func (m *Map[K, V]) Peek(k K) (v V, ok bool) {
	if v, ok = m.young[k]; ok {
		return v, true
	}
	v, ok = m.old[k]
	return v, ok
}

// Put remembers v of k.
func (m *Map[K, V]) Put(k K, v V) {
	if m.young == nil || len(m.young) >= m.Each {
		m.young, m.old = map[K]V{}, m.young
	}
	m.young[k] = v
}

// Delete forgets k.
func (m *Map[K, V]) Delete(k K) {
	delete(m.young, k)
	delete(m.old, k)
}

// Clear forgets everything.
func (m *Map[K, V]) Clear() { m.young, m.old = nil, nil }
