package bench

import (
	"syscall"
	"time"
)

// cpuTime returns what this process has used so far.
func cpuTime() (time.Duration, error) {
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0, err
	}
	var began, ended, kernel, user syscall.Filetime
	err = syscall.GetProcessTimes(self, &began, &ended, &kernel, &user)
	return span(kernel) + span(user), err
}

// span reads a length of time, which Windows counts in 100 ns.
func span(t syscall.Filetime) time.Duration {
	return 100 * time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime))
}
