// Package publish keeps a copy of a log in a directory, as files that C2SP
// tlog-tiles names: any web server can serve it, and whoever has it needs no
// ledger to verify it.
//
// A ledger keeps the records of its logs once, in its store. A copy holds them
// again: it is for whoever wants that.
package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"consentledger/projections/transparency/merkle"
	"consentledger/projections/transparency/verify"
)

// Write brings the copy in dir up to date with a log, and returns the checkpoint
// that it stands under then. What the copy has already is not read again. Tiles of
// hashes are derived from the records, which must give the root of the checkpoint;
// only then it takes the place of the one before, so that whoever reads the copy
// meanwhile has a whole one. It does not verify signatures, nor what was copied
// before: [verify.Log] does.
func Write(ctx context.Context, log verify.Source, dir string) (merkle.Checkpoint, error) {
	files, err := log.Read(ctx, "checkpoint")
	if err != nil {
		return merkle.Checkpoint{}, err
	}
	if files[0] == nil {
		return merkle.Checkpoint{}, errors.New("there is no log: it has no checkpoint")
	}
	c, err := parse(files[0])
	if err != nil {
		return c, err
	}
	have, err := before(dir, c)
	if err != nil {
		return c, err
	}

	w := writer{Source: log, dir: dir, size: c.Size}
	if err := w.copy(ctx, have.Size); err != nil {
		return c, err
	}
	if w.edge.Root() != c.Root && have.Size > 0 { // the tiles of the copy may be damaged
		if err := w.copy(ctx, 0); err != nil {
			return c, err
		}
	}
	if w.edge.Root() != c.Root {
		return c, fmt.Errorf("the %d records give the root %s, and %s was signed: nothing is published", c.Size,
			w.edge.Root(), c.Root)
	}
	return c, w.replace("checkpoint", files[0])
}

func parse(signed []byte) (merkle.Checkpoint, error) {
	text, _, _ := strings.Cut(string(signed), "\n\n")
	c, err := merkle.ParseCheckpoint(text + "\n")
	if err != nil {
		return c, fmt.Errorf("checkpoint: %w", err)
	}
	return c, nil
}

// before returns the checkpoint that a copy stands under, and refuses to put the
// log of c in its place if that is another.
func before(dir string, c merkle.Checkpoint) (have merkle.Checkpoint, err error) {
	name := filepath.Join(dir, "checkpoint")
	signed, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return have, nil
	}
	if err == nil {
		have, err = parse(signed)
	}
	switch {
	case err != nil:
		return have, fmt.Errorf("%s: %w", dir, err)
	case have.Origin != c.Origin:
		return have, fmt.Errorf("%s holds the log %s, and this is %s: name another directory", dir, have.Origin,
			c.Origin)
	case have.Size > c.Size, have.Size == c.Size && have.Root != c.Root:
		return have, fmt.Errorf("%s holds %d records with the root %s, and the log has %d with the root %s: it was "+
			"rolled back or forked; keep the copy, it is the evidence",
			dir, have.Size, have.Root, c.Size, c.Root)
	}
	return have, nil
}

// A writer writes a copy.
type writer struct {
	verify.Source
	dir  string
	size int64
	edge merkle.Edge
	err  error // of writing a tile
}

// batch is how many bundles are asked for at once.
const batch = 8

// copy copies the log from the first bundle that was not full when the copy had
// so many records.
func (w *writer) copy(ctx context.Context, have int64) (err error) {
	first := have / merkle.Width
	w.edge, err = merkle.OpenEdge(first*merkle.Width, func(t merkle.Tile) ([]byte, error) {
		return os.ReadFile(filepath.Join(w.dir, merkle.Path(t)))
	})
	if err != nil {
		first, w.edge = 0, merkle.Edge{}
	}

	for first*merkle.Width < w.size {
		var paths []string
		for n := first; len(paths) < batch && n*merkle.Width < w.size; n++ {
			paths = append(paths, merkle.Path(merkle.At(-1, n, w.size)))
		}
		bundles, err := w.Read(ctx, paths...)
		if err != nil {
			return err
		}
		for i, bundle := range bundles {
			if err := w.bundle(merkle.At(-1, first+int64(i), w.size), bundle); err != nil {
				return fmt.Errorf("%s: %w", paths[i], err)
			}
		}
		first += int64(len(bundles))
	}
	w.edge.Partials(w.keep)
	return w.err
}

// bundle takes the next bundle.
func (w *writer) bundle(t merkle.Tile, bundle []byte) error {
	rest := bundle
	for range t.W {
		record, after, err := merkle.CutEntry(rest)
		if err != nil {
			return err
		}
		w.edge.Append(record, w.keep)
		rest = after
	}

	if len(rest) > 0 {
		return fmt.Errorf("%d bytes follow its last record", len(rest))
	}

	w.keep(t, bundle)
	return w.err
}

// keep writes a tile or a bundle. The partial ones that it fills are needed no
// more.
func (w *writer) keep(t merkle.Tile, data []byte) {
	if w.err != nil {
		return
	}
	path := merkle.Path(t)
	if w.err = w.replace(path, data); w.err == nil && t.W == merkle.Width {
		w.err = os.RemoveAll(filepath.Join(w.dir, filepath.FromSlash(path)) + ".p")
	}
}

// replace puts a file in the place of another. All may read it.
func (w *writer) replace(path string, data []byte) error {
	name := filepath.Join(w.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name+".next", data, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".next", name)
}
