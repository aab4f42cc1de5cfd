package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

// The largest files that are read, by what they are. All are read whole, but for
// evidence, which is hashed.
const (
	maxKeyFile    = 1 << 16
	maxOwnFile    = 1 << 16 // that the ledger wrote itself into its data directory
	maxPolicyFile = 1 << 20
	maxStampFile  = 1 << 20  // certificates, too
	maxReceipt    = 64 << 20 // with a whole policy in it
	maxMemory     = 64 << 20
	maxInput      = 64 << 20 // what is sent is smaller: the server says how much
	maxEvidence   = 4 << 30  // a recording, at most
)

// openPlain opens a file that somebody else may have made: a plain file and nothing
// else. A link may lead to what was not meant, and a pipe or a device may never end,
// or never begin.
func openPlain(name string) (*os.File, fs.FileInfo, error) { return openFile(name, os.Lstat, noLink) }

// openOwn opens a file of whoever runs the program: a key, a certificate, a
// document. Links are followed, since that is how secrets are mounted into
// containers; what they lead to must be a plain file, too.
func openOwn(name string) (*os.File, fs.FileInfo, error) { return openFile(name, os.Stat, 0) }

func openFile(name string, look func(string) (fs.FileInfo, error), flags int) (*os.File, fs.FileInfo, error) {
	info, err := look(name)
	if err != nil {
		if e, is := errors.AsType[*fs.PathError](err); is {
			e.Op = "open" // whoever reads it asked for nothing else
		}
		return nil, nil, err
	}
	if err := checkPlain(name, info); err != nil {
		return nil, nil, err
	}

	// It may be another one by now: it is opened so that no pipe holds us up, and
	// looked at again.
	f, err := os.OpenFile(name, os.O_RDONLY|noWait|flags, 0)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = checkPlain(name, info)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

func checkPlain(name string, info fs.FileInfo) error {
	kind := ""
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode&fs.ModeSymlink != 0:
		kind = "a link: name the file that it leads to"
	case mode.IsDir():
		kind = "a directory"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a pipe"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	default:
		kind = "a device"
	}
	return usageError{fmt.Errorf("%s: want a plain file, and this is %s", name, kind)}
}

// readPlain reads a plain file, or standard input for "-", of at most limit bytes.
func readPlain(c *cobra.Command, name string, limit int64) ([]byte, error) {
	if name == "-" {
		return readStdin(c, limit)
	}
	text, err := readPlainFile(name, limit)
	return text, orNotFound(err)
}

// orNotFound gives the error of a file that is not there its exit code.
func orNotFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return notFound{err}
	}
	return err
}

// A fileReader reads a file of at most so many bytes: [readPlainFile], or
// [readOwnFile].
type fileReader func(name string, limit int64) ([]byte, error)

// readPlainFile is [readPlain] where standard input is not meant.
func readPlainFile(name string, limit int64) ([]byte, error) {
	f, _, err := openPlain(name)
	return readAndClose(f, err, name, limit)
}

// readOwnFile reads what [openOwn] opens, of at most limit bytes.
func readOwnFile(name string, limit int64) ([]byte, error) {
	f, _, err := openOwn(name)
	return readAndClose(f, err, name, limit)
}

func readAndClose(f *os.File, err error, name string, limit int64) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readUpTo(f, name, limit)
}

// readInput reads a file, or standard input for "-". The file may be a pipe, as a
// shell's <(...) is: whoever calls waits for what they named.
func readInput(c *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return readStdin(c, maxInput)
	}
	return untilInterrupted(c, func() ([]byte, error) {
		f, err := os.Open(name)
		return readAndClose(f, orNotFound(err), name, maxInput)
	})
}

func readStdin(c *cobra.Command, limit int64) ([]byte, error) {
	return untilInterrupted(c, func() ([]byte, error) { return readUpTo(c.InOrStdin(), "standard input", limit) })
}

// untilInterrupted returns what read does, or an error once the command is
// interrupted: nothing ends a read of a pipe that nobody writes to.
func untilInterrupted(c *cobra.Command, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-c.Context().Done():
		return nil, context.Cause(c.Context())
	}
}

func readUpTo(r io.Reader, name string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = tooLarge(name, limit)
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}

func tooLarge(name string, limit int64) error {
	return usageError{fmt.Errorf("%s: it is larger than %d bytes, and what is read here is not", name, limit)}
}
