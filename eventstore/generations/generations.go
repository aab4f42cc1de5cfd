// Package generations remembers what was asked for last, within a bound: two
// generations of a map, the older of which is dropped when the younger is full.
package generations

import "maps"

// A Map holds between Each and twice as much, once it was asked for so much: what
// was asked for last. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	Each  int                // how much a generation holds
	Weigh func(k K, v V) int // how much k and v are, the same every time; nil: everything is 1
	Aged  func(old map[K]V)  // is shown the generation that will be dropped next; nil: nobody is

	young, old map[K]V
	weight     int // of young
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

// Peek is Get, but that k is not remembered for longer. Several may peek at once.
func (m *Map[K, V]) Peek(k K) (v V, ok bool) {
	if v, ok = m.young[k]; ok {
		return v, true
	}
	v, ok = m.old[k]
	return v, ok
}

// PeekYoung is Peek, and whether k needs not be remembered for longer yet.
func (m *Map[K, V]) PeekYoung(k K) (v V, ok, young bool) {
	if v, ok = m.young[k]; ok {
		return v, true, true
	}
	v, ok = m.old[k]
	return v, ok, false
}

// Put remembers v of k. What is more than a generation holds has one of its own.
func (m *Map[K, V]) Put(k K, v V) {
	m.Delete(k)
	weight := m.weigh(k, v)
	if m.young == nil || len(m.young) > 0 && m.weight+weight > m.Each {
		m.young, m.old, m.weight = map[K]V{}, m.young, 0
		if m.Aged != nil {
			m.Aged(m.old)
		}
	}
	m.young[k] = v
	m.weight += weight
}

// Replace puts v where another value of k is remembered, and for no longer than that
// was. If none is, it does nothing.
func (m *Map[K, V]) Replace(k K, v V) {
	if before, ok := m.young[k]; ok {
		m.weight += m.weigh(k, v) - m.weigh(k, before)
		m.young[k] = v
		return
	}
	if _, ok := m.old[k]; ok {
		m.old[k] = v
	}
}

func (m *Map[K, V]) weigh(k K, v V) int {
	if m.Weigh == nil {
		return 1
	}
	return m.Weigh(k, v)
}

// Delete forgets k.
func (m *Map[K, V]) Delete(k K) {
	if v, ok := m.young[k]; ok {
		m.weight -= m.weigh(k, v)
		delete(m.young, k)
	}
	delete(m.old, k)
}

// DeleteFunc forgets whatever is to go. It looks at everything.
func (m *Map[K, V]) DeleteFunc(goes func(K, V) bool) {
	maps.DeleteFunc(m.old, goes)
	maps.DeleteFunc(m.young, func(k K, v V) bool {
		if !goes(k, v) {
			return false
		}
		m.weight -= m.weigh(k, v)
		return true
	})
}

// Clear forgets everything.
func (m *Map[K, V]) Clear() { m.young, m.old, m.weight = nil, nil, 0 }
