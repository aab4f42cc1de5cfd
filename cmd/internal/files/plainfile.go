// Package files reads and writes the files that somebody names on the command line: plain
// files, and of each no more than such a file may have.
package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"consentledger/cmd/internal/exit"

	"github.com/spf13/cobra"
)

// The largest files that are read, by what they are. All are read whole, but for
// evidence, which is hashed.
const (
	MaxKeyFile    = 1 << 16
	MaxOwnFile    = 1 << 16  // that the ledger wrote itself into its data directory
	MaxPolicyFile = 1 << 20  // and of everything else that a person writes
	MaxStampFile  = 1 << 20  // certificates, too
	MaxReceipt    = 64 << 20 // with a whole policy in it
	MaxMemory     = 64 << 20
	MaxInput      = 64 << 20 // what is sent is smaller: the server says how much
	MaxEvidence   = 4 << 30  // a recording, at most
)

// OpenPlain opens a file that somebody else may have made: a plain file and nothing
// else. A link may lead to what was not meant, and a pipe or a device may never end,
// or never begin.
func OpenPlain(name string) (*os.File, fs.FileInfo, error) { return openFile(name, os.Lstat, noLink) }

// OpenOwn opens a file of whoever runs the program: a key, a certificate, a
// document. Links are followed, since that is how secrets are mounted into
// containers; what they lead to must be a plain file, too.
func OpenOwn(name string) (*os.File, fs.FileInfo, error) { return openFile(name, os.Stat, 0) }

func openFile(name string, look func(string) (fs.FileInfo, error), flags int) (*os.File, fs.FileInfo, error) {
	info, err := look(name)
	if err != nil {
		return nil, nil, opening(err)
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

// opening names what was wanted: whoever reads an error of looking at a file wanted it
// opened.
func opening(err error) error {
	if e, is := errors.AsType[*fs.PathError](err); is {
		e.Op = "open"
	}
	return err
}

func checkPlain(name string, info fs.FileInfo) error {
	if kind := kindOf(info); kind != "" {
		return exit.Usage(fmt.Errorf("%s: want a plain file, and this is %s", name, kind))
	}
	return nil
}

const aPipe = "a pipe"

// kindOf says what something is that is no plain file.
func kindOf(info fs.FileInfo) string {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return ""
	case mode&fs.ModeSymlink != 0:
		return "a link: name the file that it leads to"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return aPipe
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// ReadPlain reads a plain file, or standard input for "-", of at most limit bytes.
// What is the argument or the flag that names it.
func ReadPlain(c *cobra.Command, what, name string, limit int64) (text []byte, err error) {
	if name == "-" {
		text, err = readStdin(c, limit)
	} else {
		text, err = ReadPlainFile(name, limit)
	}
	return text, NamedBy(what, OrNotFound(err))
}

// NamedBy says which argument or flag an error is about.
func NamedBy(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// OrNotFound gives the error of a file that is not there its exit code.
func OrNotFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return exit.NotFound(err)
	}
	return err
}

// Unread says which flag names a file that could not be read.
func Unread(flag string, err error) error { return NamedBy(flag, OrNotFound(err)) }

// A FileReader reads a file of at most so many bytes: [ReadPlainFile], or
// [ReadOwnFile].
type FileReader func(name string, limit int64) ([]byte, error)

// ReadPlainFile is [ReadPlain] where standard input is not meant.
func ReadPlainFile(name string, limit int64) ([]byte, error) {
	f, _, err := OpenPlain(name)
	return readAndClose(f, err, name, limit)
}

// ReadOwnFile reads what [OpenOwn] opens, of at most limit bytes.
func ReadOwnFile(name string, limit int64) ([]byte, error) {
	f, _, err := OpenOwn(name)
	return readAndClose(f, err, name, limit)
}

func readAndClose(f *os.File, err error, name string, limit int64) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readUpTo(f, name, limit)
}

// ReadInput reads a file, or standard input for "-", of at most limit bytes. The file
// may be a pipe, as a shell's <(...) is: whoever calls waits for what they named. What
// is the argument or the flag that names it.
func ReadInput(c *cobra.Command, what, name string, limit int64) ([]byte, error) {
	if name == "-" {
		text, err := readStdin(c, limit)
		return text, NamedBy(what, err)
	}
	text, err := untilInterrupted(c, func() ([]byte, error) {
		f, err := OpenInput(name)
		return readAndClose(f, OrNotFound(err), name, limit)
	})
	return text, NamedBy(what, err)
}

// OpenInput opens a plain file or a pipe. A device may never end, and a directory
// holds no text.
func OpenInput(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err == nil {
		err = checkInput(name, info)
	}
	if err != nil {
		return nil, opening(err)
	}

	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil { // it may be another one by now
		err = checkInput(name, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func checkInput(name string, info fs.FileInfo) error {
	if kind := kindOf(info); kind != "" && kind != aPipe {
		return exit.Usage(fmt.Errorf("%s: want a file, a pipe, or - for standard input, and this is %s", name, kind))
	}
	return nil
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
		err = TooLarge(name, limit)
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}

func TooLarge(name string, limit int64) error {
	return exit.Usage(fmt.Errorf("%s: it is larger than %d bytes, and what is read here is not", name, limit))
}
