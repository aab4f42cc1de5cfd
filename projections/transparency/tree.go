package transparency

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"
)

// A tree is one app's log. All but what is published belongs to the goroutine
// in [Log.Run].
type tree struct {
	app    domain.AppName
	dir    string
	edge   merkle.Edge
	last   eventstore.Position // of the last record
	ids    *index
	signed *signed
	proven bool // the root at the signed size is the one that was signed

	partials [2][]merkle.Tile // of the last two checkpoints
	failed   error            // of writing a full tile

	published atomic.Pointer[published] // what readers see; nil: nothing
}

// A published tree is one that was signed. It does not change.
type published struct {
	merkle.Checkpoint
	note []byte
	edge merkle.Edge
}

// openTree opens the tree of an app as it was with so many records.
func openTree(dir string, app domain.AppName, size int64, s *signed) (*tree, error) {
	t := &tree{app: app, dir: filepath.Join(dir, string(app)), signed: s}
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
	}
	t.partials[1] = partialsOf(&t.edge)
	switch {
	case size > s.Size:
		return nil, fmt.Errorf("app %s: the tiles hold %d records, of which only %d are known to be signed: %w", app, size, s.Size, errRolledBack)
	case size == s.Size && t.edge.Root() != s.Root:
		return nil, fmt.Errorf("app %s: the right edge of the tiles is not of the tree that was signed", app)
	case size == s.Size:
		t.proven = true
		t.publish()
	}
	return t, nil
}

var errRolledBack = errors.New("what was signed last is older than the tiles; bring back the newer file, which lies beside the signing key, or verify the log against a checkpoint that somebody else keeps and remove the tiles")

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
	return errors.Join(t.failed, t.ids.flush())
}

// has reports whether a partial tile was written for the last checkpoint.
func (t *tree) has(tile merkle.Tile) bool {
	return slices.Contains(t.partials[1], tile)
}

// publish shows readers the tree that was signed.
func (t *tree) publish() {
	t.published.Store(&published{t.signed.Checkpoint, t.signed.note, t.edge.Snapshot()})
}

// writeCheckpoint writes the signed checkpoint beside the tiles and removes
// the partial tiles that neither it nor the one before it needs.
func (t *tree) writeCheckpoint() error {
	if err := replace(filepath.Join(t.dir, "checkpoint"), t.signed.note); err != nil {
		return err
	}
	next := partialsOf(&t.edge)
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
