package transparency

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"consentledger/domain/ident"
	"consentledger/projections/transparency/merkle"
)

// checkpoint signs and publishes every tree that has grown. All says that no record
// is missing: a tree that is smaller than was signed is a fault then.
func (l *Log) checkpoint(ctx context.Context, all bool) error {
	trees := l.everyTree()

	// A tree may be smaller than was signed while it is built again: then it waits.
	complete := true
	var grown []*tree
	for _, t := range trees {
		switch p := t.published.Load(); {
		case t.edge.Size < t.signed.Size && all:
			return l.isShort(t)
		case t.edge.Size < t.signed.Size:
			complete = false
		case p == nil || p.Size < t.edge.Size || t.signed.partly:
			grown = append(grown, t)
		}
	}

	// What is signed is durable before anybody sees it. If the process dies here, the next one
	// publishes it: the same tree gets the same checkpoint.
	if err := l.sign(ctx, grown); err != nil {
		return err
	}
	for _, t := range grown {
		t.publish()
		if err := t.writeCheckpoint(); err != nil {
			return fmt.Errorf("app %s: %w", t.app, err)
		}
	}

	l.tell()
	if !complete {
		return nil // the state must not run ahead of what readers see
	}
	if err := l.saveState(trees); err != nil {
		return err
	}
	return l.covers(trees)
}

func (l *Log) everyTree() []*tree {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.trees))
}

// isShort is what follows when the store ends before what was signed.
func (l *Log) isShort(t *tree) error {
	if !l.fromZero {
		return fmt.Errorf("app %s: %w", t.app, errRebuild)
	}
	return l.halt(t.app, fmt.Errorf("the store holds %d records, but %d were signed: records are missing", t.edge.Size,
		t.signed.Size))
}

// draftLimit is how many checkpoints are made durable at once: each is an open
// file until then.
const draftLimit = 256

// sign signs trees, none of which is smaller than what was signed of it last.
// Its commits are the commit points of their checkpoints.
func (l *Log) sign(ctx context.Context, trees []*tree) error {
	for some := range slices.Chunk(trees, draftLimit) {
		var drafts []draft
		for _, t := range some {
			d, err := l.signTree(t)
			if err != nil {
				return fmt.Errorf("app %s: %w", t.app, errors.Join(err, closeAll(drafts)))
			}
			if d.of != nil {
				drafts = append(drafts, d)
			}
		}
		if err := l.Keep.commit(ctx, drafts...); err != nil {
			return err
		}
	}
	return nil
}

// signTree signs a tree, if it is larger than the one signed last.
func (l *Log) signTree(t *tree) (draft, error) {
	// A checkpoint covers tiles that can be read.
	if err := t.flush(); err != nil {
		return draft{}, err
	}
	if f := l.fault.Load(); f != nil {
		return draft{}, f
	}

	// No log signs two trees of one size, nor a smaller one after a larger one.
	c := merkle.Checkpoint{Origin: l.Keep.Origin(t.app), Size: t.edge.Size, Root: t.edge.Root()}
	switch {
	case c.Size < t.signed.Size || c.Size == t.signed.Size && c.Root != t.signed.Root:
		return draft{}, l.differs(t, t.signed.Checkpoint, c.Root)
	case c.Size == t.signed.Size && t.signed.partly:
		// The same size and root once more, for a key that has joined: not another tree.
	case c.Size == t.signed.Size && t.signed.row.size >= c.Size:
		return draft{}, nil
	case c.Size == t.signed.Size && l.Keep.shared == nil:
		return draft{}, nil
	}
	return l.Keep.sign(t.app, t.signed, c, t.last)
}

func closeAll(drafts []draft) error {
	var err error
	for _, d := range drafts {
		if d.file != nil {
			err = errors.Join(err, d.file.Close())
		}
	}
	return err
}

// saveState writes how far the tiles are, which may be further than what is signed.
func (l *Log) saveState(trees []*tree) error {
	s := state{position: l.at, sizes: map[ident.AppName]int64{}}
	for _, t := range trees {
		s.sizes[t.app] = t.edge.Size
	}
	if err := replace(filepath.Join(l.Dir, "state"), s.format()); err != nil {
		return err
	}

	for _, t := range trees {
		if err := t.ids.settle(); err != nil {
			return fmt.Errorf("app %s: %w", t.app, err)
		}
	}
	return nil
}

// covers notes up to where every record is under a checkpoint that is published.
func (l *Log) covers(trees []*tree) error {
	covered := l.at
	for _, t := range trees {
		p := t.published.Load()
		if p == nil || p.Size >= t.edge.Size {
			continue
		}
		first, err := t.ids.places(p.Size, 1) // of what is not covered
		if err != nil {
			return fmt.Errorf("app %s: %w: %w", t.app, errRebuild, err)
		}
		covered = min(covered, first[0]-1)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	l.covered = covered
	return nil
}
