package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"consentledger/cmd/internal/exit"
)

// CheckOut says whether a file that a flag names can be written. It is asked before
// anything else: what is fetched for the file may be recorded. An empty name is
// standard output.
func CheckOut(flag, name string) error {
	if name == "" {
		return nil
	}
	_, err := outKind(flag, name)
	return err
}

// outKind returns what a file is that is to be written and is no plain file.
func outKind(flag, name string) (kind string, err error) {
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return "", exit.Usage(fmt.Errorf("%s: %s is a directory: name the file to write, as in %s", flag, name,
			filepath.Join(name, "NAME")))
	case err == nil:
		return kindOf(info), nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", NamedBy(flag, opening(err))
	}

	dir := filepath.Dir(name)
	info, err = os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", exit.Usage(fmt.Errorf("%s: %s: there is no directory %s: make it first", flag, name, dir))
	case err != nil:
		return "", NamedBy(flag, opening(err))
	case !info.IsDir():
		return "", exit.Usage(fmt.Errorf("%s: %s: %s is no directory", flag, name, dir))
	}
	return "", nil
}

// PlaceOf returns where a file is written that another one takes the place of: where a
// link leads. A device or a pipe has no place: a file would stand instead of it.
func PlaceOf(flag, name string) (string, error) {
	kind, err := outKind(flag, name)
	if err != nil {
		return "", err
	}

	if kind != "" {
		return "", exit.Usage(fmt.Errorf("%s: %s: want the name of a plain file or of a new one, and this is %s", flag,
			name, kind))
	}

	if info, err := os.Lstat(name); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return name, nil
	}

	to, err := filepath.EvalSymlinks(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", exit.Usage(fmt.Errorf("%s: %s is a link to a file that is not there", flag, name))
	}
	return to, NamedBy(flag, err)
}

// WriteOut writes a file that a flag names. A new one is for its owner alone: what a verb
// writes may name persons. One that is there keeps its permissions.
func WriteOut(flag, name string, text []byte) error {
	if err := CheckOut(flag, name); err != nil {
		return err
	}
	return NamedBy(flag, os.WriteFile(name, text, 0o600))
}
