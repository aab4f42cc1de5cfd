package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"consentledger/cmd/internal/exit"
)

// A NewFile is a text that is to be written.
type NewFile struct{ Name, Text string }

// WriteNew writes files that are not there yet: all of them, or it says which one is.
func WriteNew(files ...NewFile) error {
	for _, f := range files {
		if _, err := os.Lstat(f.Name); err == nil {
			return exit.Usage(fmt.Errorf("%s is there already, and is not written over: name another FILE, or move "+
				"it away", f.Name))
		}
	}

	for _, f := range files {
		out, err := os.OpenFile(f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrNotExist) {
			return exit.Usage(fmt.Errorf("%s: there is no directory %s: make it first", f.Name, filepath.Dir(f.Name)))
		}
		if err != nil {
			return err
		}
		_, err = out.WriteString(f.Text)
		if err = errors.Join(err, out.Close()); err != nil {
			return err
		}
	}
	return nil
}
