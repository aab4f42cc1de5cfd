package lists

import "slices"

// An Own says how much of a state belongs to whoever folds another fact into
// it. The state that comes out is the same for each; what it costs is not.
type Own uint8

const (
	// Shared: others hold the state, and may fold into it too. Every list that
	// changes is copied.
	Shared Own = iota

	// Newest: others may hold the state and older ones, but only to read. Lists
	// grow into the room behind them, which no older state sees. Nobody may fold
	// into the same state a second time, but by Shared.
	Newest

	// Alone: nobody else holds the state. Lists change where they are.
	Alone
)

// room is how long a list is at least that gets room for more: most histories
// are short, and never need it.
const room = 8

// Add appends. A list that may not grow where it is, is copied without room for
// more: the next one would not use it.
func Add[T any](own Own, s []T, v T) []T {
	if own == Shared || len(s) < room {
		out := make([]T, len(s)+1)
		copy(out, s)
		out[len(s)] = v
		return out
	}
	if len(s) == cap(s) {
		s = slices.Grow(s, len(s)/4+1)
	}
	return append(s, v)
}

// Altered returns list with every element changed.
func Altered[T any](own Own, list []T, change func(*T)) []T {
	if own != Alone {
		list = append([]T(nil), list...)
	}
	for i := range list {
		change(&list[i])
	}
	return list
}

// Dropped returns list without some of its elements: the same list if none of
// them is in it.
func Dropped[T any](own Own, list []T, out func(T) bool) []T {
	if !slices.ContainsFunc(list, out) {
		return list
	}
	if own != Alone {
		list = slices.Clone(list)
	}
	return slices.DeleteFunc(list, out)
}

// DropAt returns list without its element i.
func DropAt[T any](own Own, list []T, i int) []T {
	if own != Alone {
		list = slices.Clone(list)
	}
	return slices.Delete(list, i, i+1)
}

// Without returns a copy of list that leaves out some.
func Without[T any](list []T, out func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), out)
}
