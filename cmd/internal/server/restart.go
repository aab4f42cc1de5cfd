//go:build !windows

package server

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// StartAnew replaces the process by the same program with the same arguments: a
// store that died is opened by nothing less. It does not return, unless it
// fails; then whoever supervises the process starts it again.
func StartAnew() error {
	var err error
	for _, name := range []func() (string, error){os.Executable,
		func() (string, error) { return "/proc/self/exe", nil }} {
		path, no := name()
		if no == nil {
			no = syscall.Exec(path, os.Args, wholeEnviron())
		}
		err = errors.Join(err, no)
	}
	return diskFullError{fmt.Errorf("%w, and it cannot do so by itself: %w; start it again", ErrRestart, err)}
}
