package main

import "fmt"

// startAnew ends the process: whoever supervises it starts it again.
func startAnew() error {
	return diskFullError{fmt.Errorf("%w; start it again", errRestart)}
}
