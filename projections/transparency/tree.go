package transparency

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/tlog"
)

// A tree is one app's log. All but what is published belongs to the goroutine
// in [Log.Run].
type tree struct {
	app    ident.AppName
	dir    string
	edge   merkle.Edge
	last   eventstore.Position // of the last record
	ids    *index
	signed *signed
	proven bool // the root at the signed size is the one that was signed

	flushed  int64            // its size when the edge was written last
	partials [2][]merkle.Tile // of the last two checkpoints
	failed   error            // of writing a full tile

	keys      atomic.Pointer[signing]   // what readers see of the keys that sign
	published atomic.Pointer[published] // what readers see; nil: nothing
	unchecked atomic.Bool               // an earlier process left it, and [Log.Check] has not derived it yet
	verified  atomic.Int64              // when Check was done with it, in Unix milliseconds; zero: it had nothing to do
}

// A published tree is one that was signed. It does not change. Its edge may be that of
// a larger tree: then another process signed.
type published struct {
	merkle.Checkpoint
	note []byte
	edge merkle.Edge
	at   time.Time // when this process showed it first
}

// openTree opens the tree of an app as it was with so many records.
func openTree(dir string, app ident.AppName, size int64, s *signed, shared bool) (*tree, error) {
	t := &tree{app: app, dir: filepath.Join(dir, string(app)), signed: s, flushed: size}
	t.showKeys()
	var err error
	if t.ids, err = openIndex(t.dir, size); err != nil {
		return nil, err
	}
	if t.edge, err = merkle.OpenEdge(size, t.read); err != nil {
		return nil, err
	}

	if size > 0 {
		if err := sweep(t.dir, &t.edge); err != nil {
			return nil, err
		}
		last, err := t.ids.places(size-1, 1)
		if err != nil {
			return nil, err
		}
		t.last = last[0]
	}

	t.partials[1] = partialsOf(&t.edge)
	switch {
	case size > s.Size && shared: // what other processes record is read before it is signed
		root, err := t.rootAt(s.Size)
		if err == nil && root != s.Root {
			err = errors.New("the tiles are not of the tree that was signed")
		}
		if err != nil {
			return nil, fmt.Errorf("app %s: %w", app, err)
		}
		t.proven = true
		t.publish()
	case size > s.Size:
		return nil, fmt.Errorf("app %s: the tiles hold %d records, of which only %d are known to be signed: %w", app,
			size, s.Size, errRolledBack)
	case size == s.Size && t.edge.Root() != s.Root:
		return nil, fmt.Errorf("app %s: the right edge of the tiles is not of the tree that was signed", app)
	case size == s.Size:
		t.proven = true
		t.publish()
	}
	return t, nil
}

var errRolledBack = errors.New("what was signed last is older than the tiles; bring back the newer file, which lies " +
	"beside the signing key, or verify the log against a checkpoint that somebody else keeps and remove the tiles")

func (t *tree) read(tile merkle.Tile) ([]byte, error) {
	return os.ReadFile(filepath.Join(t.dir, merkle.Path(tile)))
}

// add adds a record.
func (t *tree) add(r eventstore.Recorded) error {
	if err := t.ids.add(r.ID, r.Position); err != nil {
		return err
	}
	t.edge.Append(r.Data, t.full)
	t.last = r.Position
	return t.failed
}

func (t *tree) full(tile merkle.Tile, hashes []byte) { t.write(tile, hashes) }

func (t *tree) write(tile merkle.Tile, data []byte) {
	if err := writeTile(filepath.Join(t.dir, merkle.Path(tile)), data); err != nil && t.failed == nil {
		t.failed = err
	}
}

// atSigned reports whether the tree has just reached the size that was signed
// last, and whether it has the root that was signed.
func (t *tree) atSigned() (reached, same bool) {
	if t.proven || t.edge.Size != t.signed.Size {
		return false, false
	}
	t.proven = t.edge.Root() == t.signed.Root
	return true, t.proven
}

// flush writes the edge, so that the files are those of a tree of this size.
func (t *tree) flush() error {
	t.edge.Partials(func(tile merkle.Tile, hashes []byte) {
		if !t.has(tile) {
			t.write(tile, hashes)
		}
	})
	t.flushed = t.edge.Size
	return errors.Join(t.failed, t.ids.flush())
}

// rootAt returns the root of the first records of a tree.
func (t *tree) rootAt(size int64) (merkle.Hash, error) {
	if size == t.edge.Size {
		return t.edge.Root(), nil
	}
	return tlog.TreeHash(size, hashReader(func(tile merkle.Tile) ([]byte, error) { return t.tile(&t.edge, tile) }))
}

// tile returns a tile of hashes, as wide as is asked for, of the tree that has an
// edge. The full ones are files, the others are in the edge.
func (t *tree) tile(edge *merkle.Edge, tile merkle.Tile) (data []byte, err error) {
	whole := merkle.At(tile.L, tile.N, edge.Size)
	if data = edge.Last(tile.L); whole.W == merkle.Width {
		if data, err = t.read(whole); err != nil {
			return nil, err
		}
	}
	if len(data) != whole.W*merkle.HashSize || whole.W < tile.W {
		return nil, fmt.Errorf("%s has %d bytes", merkle.Path(whole), len(data))
	}
	return data[:tile.W*merkle.HashSize], nil
}

// hashReader reads hashes from tiles.
func hashReader(read func(tile merkle.Tile) ([]byte, error)) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var all []tlog.Hash
		for _, i := range indexes {
			tile := tlog.TileForIndex(merkle.Height, i)
			data, err := read(tile)
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

// has reports whether a partial tile was written for the last checkpoint.
func (t *tree) has(tile merkle.Tile) bool {
	return slices.Contains(t.partials[1], tile)
}

// showKeys shows readers the keys that sign.
func (t *tree) showKeys() {
	keys := t.signed.signing
	t.keys.Store(&keys)
}

// publish shows readers the tree that was signed.
func (t *tree) publish() {
	t.published.Store(&published{t.signed.Checkpoint, t.signed.note, t.edge.Snapshot(), time.Now()})
}

// writeCheckpoint writes the signed checkpoint beside the tiles and removes
// the partial tiles that neither it nor the one before it needs.
func (t *tree) writeCheckpoint() error {
	if err := replace(filepath.Join(t.dir, "checkpoint"), t.signed.note); err != nil {
		return err
	}

	next := partialsOf(&t.edge)
	if slices.Equal(next, t.partials[1]) {
		return nil // the same tree, signed by other keys as well
	}
	for _, tile := range t.partials[0] {
		if slices.Contains(t.partials[1], tile) || slices.Contains(next, tile) {
			continue
		}
		name := filepath.Join(t.dir, merkle.Path(tile))
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		_ = os.Remove(filepath.Dir(name)) // if it was the last
	}

	t.partials = [2][]merkle.Tile{t.partials[1], next}
	return nil
}
