package server

import "fmt"

// StartAnew ends the process: whoever supervises it starts it again.
func StartAnew() error {
	return diskFullError{fmt.Errorf("%w; start it again", ErrRestart)}
}
