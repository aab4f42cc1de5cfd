package transparency

import (
	"context"
	"errors"
	"io/fs"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrNotThere says that a log has no such thing, or not yet.
var ErrNotThere = errors.New("the log has no such thing, or not yet")

// ErrNotReady says that a log exists and its tiles are being built.
var ErrNotReady = errors.New("the tiles of this log are being built; ask again")

func (l *Log) open(app ident.AppName) (*tree, *published, error) {
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
func (l *Log) Checkpoint(app ident.AppName) ([]byte, error) {
	_, p, err := l.open(app)
	if err != nil {
		return nil, err
	}
	return p.note, nil
}

// Tile returns a tile or an entry bundle: any width that it ever had in a
// published tree.
func (l *Log) Tile(ctx context.Context, app ident.AppName, tile merkle.Tile) ([]byte, error) {
	t, p, err := l.open(app)
	if err != nil {
		return nil, err
	}
	if tile.L < 0 {
		return l.bundle(ctx, t, p, tile)
	}
	return l.tile(t, p, tile)
}

// tile returns a tile of hashes of the tree that was published. The full ones
// are files, the others are in memory.
func (l *Log) tile(t *tree, p *published, tile merkle.Tile) ([]byte, error) {
	if merkle.At(tile.L, tile.N, p.Size).W < tile.W {
		return nil, ErrNotThere
	}
	data, err := t.tile(&p.edge, tile)
	if err != nil {
		return nil, l.damaged(t, err)
	}
	return data, nil
}

// Find returns the index of a record in its app's log. One that no checkpoint covers
// yet has none.
func (l *Log) Find(ctx context.Context, app ident.AppName, id eventstore.EventID) (int64, error) {
	t, p, err := l.open(app)
	if err != nil {
		return 0, err
	}

	i, found, err := t.ids.find(id, func(place int64) (bool, error) {
		at, err := t.ids.places(place, 1)
		if err != nil {
			return false, err
		}
		for r, err := range l.Records.ReadAt(ctx, at...) {
			return r.ID == id, err
		}
		return false, nil
	})
	switch {
	case errors.Is(err, errIndexDamaged), errors.Is(err, fs.ErrNotExist):
		return 0, l.damaged(t, err)
	case err == nil && (!found || i >= p.Size):
		err = ErrNotThere
	}
	return i, err
}

// Proof returns the proof that the record at an index is in the log, with the
// record in it. Nothing is proven that was not checked against the signed root.
func (l *Log) Proof(ctx context.Context, app ident.AppName, index int64) (merkle.Proof, error) {
	_, p, err := l.open(app)
	if err != nil {
		return merkle.Proof{}, err
	}
	return l.ProofIn(ctx, app, index, p.Checkpoint, p.note)
}

// hashes reads the hashes of the tree that was published.
func (l *Log) hashes(t *tree, p *published) tlog.HashReader {
	return hashReader(func(tile merkle.Tile) ([]byte, error) { return l.tile(t, p, tile) })
}

// VerifierKey returns what an app's log is verified with.
func (l *Log) VerifierKey(app ident.AppName) (string, error) {
	t := l.tree(app)
	if t == nil {
		return "", ErrNotThere
	}
	return t.keys.Load().vkey(), nil
}
