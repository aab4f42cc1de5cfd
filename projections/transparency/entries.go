package transparency

import (
	"context"
	"fmt"

	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/tlog"
)

// readersLimit is for how many readers records are read at once: each has up to
// a page of the store in memory beside the bundle that is made.
const readersLimit = 4

// bundle makes an entry bundle from the records in the store: nobody else keeps
// them.
func (l *Log) bundle(ctx context.Context, t *tree, p *published, tile merkle.Tile) ([]byte, error) {
	if merkle.At(-1, tile.N, p.Size).W < tile.W {
		return nil, ErrNotThere
	}
	var bundle []byte
	err := l.read(ctx, t, p, tile.N*merkle.Width, tile.W, func(r eventstore.Recorded) {
		bundle = merkle.AppendEntry(bundle, r.Data)
	})
	if err != nil {
		return nil, err
	}
	return bundle, nil
}

// record returns the record at an index of the tree that was published.
func (l *Log) record(ctx context.Context, t *tree, p *published, index int64) (record []byte, err error) {
	err = l.read(ctx, t, p, index, 1, func(r eventstore.Recorded) { record = r.Data })
	return record, err
}

// read gives do records in a row, which are of one bundle of the tree that was
// published. Each is what the tile of hashes says, or do is not given it.
func (l *Log) read(ctx context.Context, t *tree, p *published, first int64, n int, do func(eventstore.Recorded)) error {
	hashes, err := l.tile(t, p, merkle.At(0, first/merkle.Width, p.Size))
	if err != nil {
		return err
	}
	places, err := t.ids.places(first, n)
	if err != nil {
		return l.damaged(t, err)
	}

	select {
	case l.readers <- struct{}{}:
		defer func() { <-l.readers }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var leaf merkle.Leaf
	i := 0
	for r, err := range l.Records.ReadAt(ctx, places...) {
		if err != nil {
			return l.unreadable(ctx, t, err)
		}
		index := first + int64(i)
		want := merkle.Hash(hashes[index%merkle.Width*merkle.HashSize:])
		if r.Position != places[i] || leaf.Hash(r.Data) != want {
			return l.isAnother(t, p, index, places[i], want)
		}
		do(r)
		i++
	}
	if i < n {
		index := first + int64(i)
		return l.isAnother(t, p, index, places[i], merkle.Hash(hashes[index%merkle.Width*merkle.HashSize:]))
	}
	return nil
}

// isAnother is what follows when the store has not the record that a tile tells
// the hash of. If the tile is of the tree that was signed, that is a fault.
func (l *Log) isAnother(t *tree, p *published, index int64, at eventstore.Position, told merkle.Hash) error {
	path, err := tlog.ProveRecord(p.Size, index, l.hashes(t, p))
	if err == nil {
		err = tlog.CheckRecord(path, p.Size, p.Root, index, told)
	}
	if err != nil {
		return l.damaged(t, err)
	}
	if t.published.Load() == nil {
		return ErrNotReady // it is being built again, and is judged then
	}
	return l.halt(t.app, fmt.Errorf("the store does not hold record %d, at position %d, as it was signed: it was "+
		"changed, removed or moved", index, at))
}

// damaged is what follows when the files of a tree are not whole: they are built
// again, unless that is under way already.
func (l *Log) damaged(t *tree, err error) error {
	if t.published.Load() != nil {
		l.interrupt(fmt.Errorf("app %s: %w: %w", t.app, errRebuild, err))
	}
	return ErrNotReady
}

// unreadable is what follows when the store cannot be read where a record is:
// nothing more is signed.
func (l *Log) unreadable(ctx context.Context, t *tree, err error) error {
	err = fmt.Errorf("app %s: %w", t.app, err)
	if ctx.Err() == nil {
		l.interrupt(err)
	}
	return err
}

// lastIsThere holds the last record that the logs have against the store.
func (l *Log) lastIsThere(ctx context.Context) error {
	for _, t := range l.trees {
		last := t.edge.Size - 1
		if last < 0 {
			continue
		}
		at, err := t.ids.places(last, 1)
		if err != nil {
			return fmt.Errorf("app %s: %w: %w", t.app, errRebuild, err)
		}
		if at[0] != l.at {
			continue
		}
		if p := t.published.Load(); p != nil && last < p.Size {
			return l.read(ctx, t, p, last, 1, func(eventstore.Recorded) {})
		}
		return nil // its root is compared when it is as large as what was signed
	}

	if l.at > 0 {
		return fmt.Errorf("no log has a record at position %d, up to which they are complete: %w", l.at, errRebuild)
	}
	return nil
}
