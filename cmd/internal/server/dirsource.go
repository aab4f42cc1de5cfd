package server

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"consentledger/cmd/internal/files"
	"consentledger/projections/transparency/merkle"
)

// A DirSource is a log in a directory.
type DirSource string

// Read implements [verify.Source].
func (d DirSource) Read(ctx context.Context, paths ...string) ([][]byte, error) {
	files := make([][]byte, len(paths))
	for i, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data, err := d.read(path)
		if errors.Is(err, fs.ErrNotExist) {
			data, err = d.wider(path)
		}
		if err != nil {
			return nil, err
		}
		files[i] = data
	}
	return files, nil
}

func (d DirSource) read(path string) ([]byte, error) {
	return files.ReadPlainFile(filepath.Join(string(d), filepath.FromSlash(path)), merkle.MaxBundle)
}

// wider returns a partial tile from one that is wider: a log that grows while
// it is read keeps no others for long. Nil: there is none.
func (d DirSource) wider(path string) ([]byte, error) {
	t, err := merkle.ParsePath(path)
	if err != nil || t.W == merkle.Width {
		return nil, nil
	}

	for w := t.W + 1; w <= merkle.Width; w++ {
		data, err := d.read(merkle.Path(merkle.Tile{H: t.H, L: t.L, N: t.N, W: w}))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		case t.L < 0:
			return prefixOrAll(data, t.W), nil
		}
		return data[:min(len(data), t.W*merkle.HashSize)], nil
	}
	return nil, nil
}

// prefixOrAll returns the first entries of a bundle, or all of one that is
// damaged: whoever verifies it will say so.
func prefixOrAll(bundle []byte, entries int) []byte {
	if p, err := merkle.Prefix(bundle, entries); err == nil {
		return p
	}
	return bundle
}
