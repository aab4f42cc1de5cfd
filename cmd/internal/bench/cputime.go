//go:build !windows

package bench

import (
	"syscall"
	"time"
)

// cpuTime returns what this process has used so far.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}
