//go:build !windows

package main

import "syscall"

// plainFlags let the opening of a pipe not wait for its other end, and follow no
// link.
const plainFlags = syscall.O_NONBLOCK | syscall.O_NOFOLLOW
