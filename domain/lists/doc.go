// Package lists changes the lists of a state when another fact is folded into it: in
// place, or by a copy, as whoever folds owns the state.
package lists
