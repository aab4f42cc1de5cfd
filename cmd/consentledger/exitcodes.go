package main

import (
	"errors"
)

// errUnreachable says that no server answered.
var errUnreachable = errors.New("the server cannot be reached")

// The exit codes, as "help exit-codes" tells them.
const (
	exitOK           = 0
	exitError        = 1
	exitUsage        = 2
	exitNotFound     = 3
	exitNotAllowed   = 4
	exitConflict     = 5
	exitUnavailable  = 6
	exitNotAuthentic = 7
	exitDiffers      = 8
	exitAlarm        = 9
	exitInterrupted  = 130
)

// A notFound names something that is not there.
type notFound struct{ error }

func (notFound) exitCode() int { return exitNotFound }

// A usageError is a call that cannot be understood.
type usageError struct{ error }

func (usageError) exitCode() int { return exitUsage }

// A notAuthentic says that something is not what was signed.
type notAuthentic struct{ error }

func (notAuthentic) exitCode() int { return exitNotAuthentic }
