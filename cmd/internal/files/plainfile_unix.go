//go:build !windows

package files

import "syscall"

// Flags by which the opening of a pipe does not wait for its other end, and follows
// no link.
const (
	noWait = syscall.O_NONBLOCK
	noLink = syscall.O_NOFOLLOW
)
