// Package exit says with which code the program ends: the codes, and the errors that
// have one.
package exit

import (
	"errors"
)

// ErrUnreachable says that no server answered.
var ErrUnreachable = errors.New("the server cannot be reached")

// The exit codes, as "help exit-codes" tells them.
const (
	CodeOK           = 0
	CodeError        = 1
	CodeUsage        = 2
	CodeNotFound     = 3
	CodeNotAllowed   = 4
	CodeConflict     = 5
	CodeUnavailable  = 6
	CodeNotAuthentic = 7
	CodeDiffers      = 8
	CodeAlarm        = 9
	CodeInterrupted  = 130
)

// A NotFoundError names something that is not there.
type NotFoundError struct{ error }

func (NotFoundError) ExitCode() int { return CodeNotFound }

// A UsageError is a call that cannot be understood.
type UsageError struct{ error }

func (UsageError) ExitCode() int { return CodeUsage }

// A NotAuthenticError says that something is not what was signed.
type NotAuthenticError struct{ error }

func (NotAuthenticError) ExitCode() int { return CodeNotAuthentic }

// A ConflictError says that what was asked for contradicts what is there.
type ConflictError struct{ error }

func (ConflictError) ExitCode() int { return CodeConflict }

// A coded error ends the program with a code of its own.
type coded struct {
	error
	code int
}

func (e coded) ExitCode() int { return e.code }

// NotAllowed makes an error of the answer no to "may we?", for shells.
func NotAllowed(reason string) error {
	return coded{errors.New("not allowed: " + reason), CodeNotAllowed}
}

// Differs says that two things that were compared are not the same.
func Differs(err error) error { return coded{err, CodeDiffers} }

// Alarm says that there is something that somebody must look at.
func Alarm(err error) error { return coded{err, CodeAlarm} }

// Failed ends the program with [CodeError], whatever err would end it with.
func Failed(err error) error { return coded{err, CodeError} }

// Usage makes an error of a call that cannot be understood.
func Usage(err error) error { return UsageError{err} }

// NotFound makes an error of something that is not there.
func NotFound(err error) error { return NotFoundError{err} }

// NotAuthentic makes an error of something that is not what was signed.
func NotAuthentic(err error) error { return NotAuthenticError{err} }

// Conflict makes an error of something that contradicts what is there.
func Conflict(err error) error { return ConflictError{err} }
