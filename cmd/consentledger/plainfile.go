package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

// The largest files that are read whole to verify something, by what they are.
const (
	maxKeyFile    = 1 << 16
	maxPolicyFile = 1 << 20
	maxStampFile  = 1 << 20
	maxReceipt    = 64 << 20 // with a whole policy in it
	maxMemory     = 64 << 20
)

// openPlain opens a file that somebody else may have made: a plain file and nothing
// else. A link may lead to what was not meant, and a pipe or a device may never end,
// or never begin.
func openPlain(name string) (*os.File, fs.FileInfo, error) {
	info, err := os.Lstat(name)
	if err != nil {
		if e, is := errors.AsType[*fs.PathError](err); is {
			e.Op = "open" // whoever reads it asked for nothing else
		}
		return nil, nil, err
	}
	if err := checkPlain(name, info); err != nil {
		return nil, nil, err
	}

	// It may be another one by now: it is opened so that no pipe holds us up and no
	// link is followed, and looked at again.
	f, err := os.OpenFile(name, os.O_RDONLY|plainFlags, 0)
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
		return readUpTo(c.InOrStdin(), "standard input", limit)
	}
	text, err := readPlainFile(name, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notFound{err}
	}
	return text, err
}

// readPlainFile is [readPlain] where standard input is not meant.
func readPlainFile(name string, limit int64) ([]byte, error) {
	f, _, err := openPlain(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readUpTo(f, name, limit)
}

func readUpTo(r io.Reader, name string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s: it is larger than %d bytes, and what is read here is not", name, limit)
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}
