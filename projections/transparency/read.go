package transparency

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrNotThere says that a log has no such thing, or not yet.
var ErrNotThere = errors.New("the log has no such thing, or not yet")

// ErrNotReady says that a log exists and its tiles are being built.
var ErrNotReady = errors.New("the tiles of this log are being built; ask again")

func (l *Log) open(app domain.AppName) (*tree, *published, error) {
	t := l.tree(app)
	if t == nil {
		return nil, nil, ErrNotThere
	}
	p := t.published.Load()
	if p == nil {
		return nil, nil, ErrNotReady
	}
	return t, p, nil
}

// Checkpoint returns the newest signed checkpoint of an app's log.
func (l *Log) Checkpoint(app domain.AppName) ([]byte, error) {
	_, p, err := l.open(app)
	if err != nil {
		return nil, err
	}
	return p.note, nil
}

// Tile returns a tile or an entry bundle: any width that it ever had in a
// published tree.
func (l *Log) Tile(app domain.AppName, tile merkle.Tile) ([]byte, error) {
	t, p, err := l.open(app)
	if err != nil {
		return nil, err
	}
	return p.tile(t.dir, tile)
}

// tile returns a tile of the tree that was published. The full ones are files,
// the others are in memory.
func (p *published) tile(dir string, tile merkle.Tile) ([]byte, error) {
	whole := merkle.At(tile.L, tile.N, p.Size)
	if whole.W < tile.W {
		return nil, ErrNotThere
	}
	data := p.bundle
	switch {
	case whole.W == merkle.Width:
		var err error
		data, err = os.ReadFile(filepath.Join(dir, merkle.Path(whole)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNotReady
		}
		if err != nil {
			return nil, err
		}
	case tile.L >= 0:
		data = p.edge.Last(tile.L)
	}
	if tile.L < 0 {
		return merkle.Prefix(data, tile.W)
	}
	if len(data) < tile.W*merkle.HashSize {
		return nil, fmt.Errorf("%s has %d bytes", merkle.Path(whole), len(data))
	}
	return data[:tile.W*merkle.HashSize], nil
}

// Find returns the index of a record in its app's log. One that is not sealed
// yet has none.
func (l *Log) Find(app domain.AppName, id eventstore.EventID) (int64, error) {
	t, p, err := l.open(app)
	if err != nil {
		return 0, err
	}
	i, found, err := t.ids.find(id)
	if err == nil && (!found || i >= p.Size) {
		err = ErrNotThere
	}
	return i, err
}

// Proof returns the proof that the record at an index is in the log, with the
// record in it. Nothing is proven that was not checked against the signed root.
func (l *Log) Proof(app domain.AppName, index int64) (merkle.Proof, error) {
	_, p, err := l.open(app)
	if err != nil {
		return merkle.Proof{}, err
	}
	return l.ProofIn(app, index, p.Checkpoint, p.note)
}

func (p *published) record(dir string, index int64) ([]byte, error) {
	bundle, err := p.tile(dir, merkle.Tile{H: merkle.Height, L: -1, N: index / merkle.Width, W: int(index%merkle.Width) + 1})
	var record []byte
	for range index%merkle.Width + 1 {
		if err == nil {
			record, bundle, err = merkle.CutEntry(bundle)
		}
	}
	return record, err
}

// hashes reads the hashes of the tree that was published.
func (p *published) hashes(dir string) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var all []tlog.Hash
		for _, i := range indexes {
			tile := tlog.TileForIndex(merkle.Height, i)
			data, err := p.tile(dir, tile)
			if err != nil {
				return nil, err
			}
			h, err := tlog.HashFromTile(tile, data, i)
			if err != nil {
				return nil, err
			}
			all = append(all, h)
		}
		return all, nil
	})
}

// VerifierKey returns what an app's log is verified with.
func (l *Log) VerifierKey(app domain.AppName) (string, error) {
	t := l.tree(app)
	if t == nil {
		return "", ErrNotThere
	}
	return t.signed.vkey, nil
}
