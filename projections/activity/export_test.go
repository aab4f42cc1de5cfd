package activity

// SetMost bounds what one question reads. It returns what sets the bounds back.
func SetMost(sorts, rows int) (back func()) {
	s, r := mostSorts, mostRows
	mostSorts, mostRows = sorts, rows
	return func() { mostSorts, mostRows = s, r }
}
