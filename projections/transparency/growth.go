package transparency

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"consentledger/domain/ident"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/tlog"
)

// Logged returns the apps that have a log, in the order of their names.
func (l *Log) Logged() []ident.AppName {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.trees))
}

// Origin returns the name of an app's log.
func (l *Log) Origin(app ident.AppName) string { return l.Keep.Origin(app) }

// Consistency returns the proof that the first old of size records of a log are
// all that it had when it was of that size. Size is that of a checkpoint that
// was published. It is not checked here: witnesses do.
func (l *Log) Consistency(app ident.AppName, old, size int64) (tlog.TreeProof, error) {
	t, p, err := l.open(app)
	if err != nil {
		return nil, err
	}
	if old < 0 || old > size || size > p.Size {
		return nil, fmt.Errorf("app %s: no proof leads from %d to %d records: the log has %d", app, old, size, p.Size)
	}
	if old == 0 || old == size {
		return nil, nil
	}
	return tlog.ProveTree(size, old, l.hashes(t, p))
}

// ProofIn is [Log.Proof] in an older tree: the one that a checkpoint of this
// log was signed for, which may carry the signatures of others.
func (l *Log) ProofIn(
	ctx context.Context, app ident.AppName, index int64, c merkle.Checkpoint, signed []byte,
) (merkle.Proof, error) {
	t, p, err := l.open(app)
	if err != nil {
		return merkle.Proof{}, err
	}
	if index < 0 || index >= c.Size || c.Size > p.Size {
		return merkle.Proof{}, ErrNotThere
	}

	record, err := l.record(ctx, t, p, index)
	if err != nil {
		return merkle.Proof{}, err
	}

	path, err := tlog.ProveRecord(c.Size, index, l.hashes(t, p))
	if err == nil {
		err = tlog.CheckRecord(path, c.Size, c.Root, index, tlog.RecordHash(record))
	}
	if err != nil {
		return merkle.Proof{}, fmt.Errorf("app %s: record %d of %d cannot be proven from the tiles: %w", app, index,
			c.Size, err)
	}
	return merkle.Proof{Index: index, Extra: record, Path: path, Checkpoint: signed}, nil
}
