package witness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/atomicfile"
)

// A Shelf keeps what witnesses and authorities said, each under a name: whole, or not
// at all. Of several processes that serve one ledger one writes at a time; the others
// read what it wrote. One that believes for a moment that it is still its turn may put
// something older in the place of something newer, until the next is written: what is
// on a shelf is signed by others, and proves what it says however old it is.
type Shelf interface {
	Read(name string) ([]byte, error) // fs.ErrNotExist: there is none
	Write(name string, data []byte) error
	Names(prefix string) ([]string, error)
}

// A Dir is a shelf of one process: a directory with a file for everything.
type Dir string

// Read implements [Shelf].
func (d Dir) Read(name string) ([]byte, error) { return os.ReadFile(filepath.Join(string(d), name)) }

// Write implements [Shelf].
func (d Dir) Write(name string, data []byte) error {
	return atomicfile.Write(filepath.Join(string(d), name), data)
}

// Names implements [Shelf].
func (d Dir) Names(prefix string) (names []string, err error) {
	paths, err := filepath.Glob(filepath.Join(string(d), prefix+"*"))
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	return names, err
}

// A RowShelf is a shelf in rows that several processes share: a row for everything,
// its key [shelfRows] and the name, its value a version byte and the data.
type RowShelf struct{ Rows eventstore.Rows }

const (
	shelfRows    = "t/f"
	shelfVersion = 1
	shelfTime    = 10 * time.Second
)

// Read implements [Shelf].
func (s RowShelf) Read(name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), shelfTime)
	defer cancel()
	value, ok, err := s.Rows.Get(ctx, []byte(shelfRows+name))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case !ok:
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case len(value) == 0 || value[0] != shelfVersion:
		return nil, fmt.Errorf("%s: its version is not %d: use the version that wrote it, or a newer one", name,
			shelfVersion)
	}
	return value[1:], nil
}

// Write implements [Shelf].
func (s RowShelf) Write(name string, data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), shelfTime)
	defer cancel()
	row := eventstore.Row{Key: []byte(shelfRows + name), Value: append([]byte{shelfVersion}, data...)}
	if err := eventstore.WriteDurably(ctx, s.Rows, eventstore.Change{Put: []eventstore.Row{row}}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Names implements [Shelf].
func (s RowShelf) Names(prefix string) (names []string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), shelfTime)
	defer cancel()
	for row, err := range s.Rows.Scan(ctx, []byte(shelfRows+prefix)) {
		if err != nil {
			return nil, err
		}
		names = append(names, strings.TrimPrefix(string(row.Key), shelfRows))
	}
	return names, nil
}

// missing reports whether a shelf has no such thing.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
