package readmodel

// Recent remembers what was asked for last: between half of Most and Most. It
// is not safe for concurrent use: Apply owns it. Whoever remembers in it what
// a transaction wrote forgets it when the transaction fails.
type Recent[K comparable, V any] struct {
	Most int

	young, old map[K]V
}

// Get returns what is remembered of k.
func (r *Recent[K, V]) Get(k K) (v V, ok bool) {
	if v, ok = r.young[k]; ok {
		return v, true
	}
	if v, ok = r.old[k]; ok {
		r.Put(k, v)
	}
	return v, ok
}

// Put remembers v of k.
func (r *Recent[K, V]) Put(k K, v V) {
	if r.young == nil || len(r.young) >= r.Most/2 {
		r.young, r.old = map[K]V{}, r.young
	}
	r.young[k] = v
}

// Forget forgets everything.
func (r *Recent[K, V]) Forget() { r.young, r.old = nil, nil }
