package postgres

import "fmt"

// A FaultError says that the store does not hold what was in it: somebody deleted
// or replaced records, a standby took over that did not have all of them, or an old
// copy of the database was put in place. No append is taken and no barrier passed
// any more; what is there can still be read.
type FaultError struct{ Err error }

func (e *FaultError) Error() string { return "postgres: history was changed: " + e.Err.Error() }
func (e *FaultError) Unwrap() error { return e.Err }

// Fault returns what was found wrong with history, nil if nothing was.
func (s *server) Fault() error {
	if f := s.fault.Load(); f != nil {
		return f
	}
	return nil
}

// broken remembers what is wrong with history, and returns it as an error.
func (s *server) broken(format string, a ...any) error {
	f := &FaultError{fmt.Errorf(format, a...)}
	if s.fault.CompareAndSwap(nil, f) {
		s.wake()
		if s.options.OnFault != nil {
			s.options.OnFault(f)
		}
	}
	return f
}

// A refusal says why a server is not used.
type refusal struct {
	err   error
	final bool // waiting does not help, somebody has to do something
}

func (r *refusal) Error() string { return "the server is not used: " + r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// refuse says that somebody has to do something before a server is used.
func refuse(format string, a ...any) error {
	return &refusal{err: fmt.Errorf(format, a...), final: true}
}

// notYet says that a server is not used as it is now.
func notYet(format string, a ...any) error {
	return &refusal{err: fmt.Errorf(format, a...)}
}
