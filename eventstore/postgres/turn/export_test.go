package turn

import "time"

// Fast makes a turn's times shorter: a second becomes second.
func (t Turn) Fast(second time.Duration) Turn {
	t.second = second
	return t
}
