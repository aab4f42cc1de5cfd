package transparency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"consentledger/eventstore"
)

// The turns of a process whose keep is shared: it follows the records, looks at what the
// others have signed, signs if it is its turn, and publishes.

// sharedTime is how long rows may take to answer the logs.
const sharedTime = 10 * time.Second

// adopt takes what was signed last, by whatever process, for what this tree is held
// against. Whose root is known to be another is a fault.
func (l *Log) adopt(ctx context.Context, t *tree) error {
	if err := l.adoptKeys(ctx, t); err != nil {
		return err
	}
	row, ok := l.Keep.signedOf(t.app)
	if !ok {
		return l.halt(t.app, &LostError{t.app, "the row of its newest checkpoint"})
	}
	if row == t.signed.row {
		return nil
	}

	next := &signed{signing: t.signed.signing}
	if err := next.parse(row.text, l.Keep.Origin(t.app)); err != nil {
		return l.halt(t.app, fmt.Errorf("the row of its newest checkpoint: %w", err))
	}
	if next.Size != row.size {
		return l.halt(t.app, fmt.Errorf("the row of its newest checkpoint is of size %d, and the checkpoint of %d",
			row.size, next.Size))
	}
	if next.Size < t.signed.Size && t.proven {
		// The rows went back, as when a standby took over that had not all of them. What
		// this process knows is newer, and it signs the next one behind the row that is there.
		l.Log.Warn("the rows of the logs have an older checkpoint than was seen before",
			"app", t.app, "size", next.Size, "seen", t.signed.Size)
		t.signed.row = row
		return nil
	}

	proven := next.Size <= t.edge.Size
	if proven {
		root, err := t.rootAt(next.Size)
		if err != nil {
			return fmt.Errorf("app %s: %w: %w", t.app, errRebuild, err)
		}
		if root != next.Root {
			return l.differs(t, next.Checkpoint, root)
		}
	}
	t.signed.Checkpoint, t.signed.position, t.signed.note, t.signed.row = next.Checkpoint, next.position, next.note, row
	t.signed.partly = next.partly
	t.proven = proven
	return nil
}

// saveAfter is after how long the state of the tiles is saved at the latest.
const saveAfter = 5 * time.Second

// checkpointShared signs, if it is this process's turn, and publishes what was signed. All
// says that no record is missing, as far as this process can tell. What cannot be
// read or written now is tried again.
func (l *Log) checkpointShared(ctx context.Context, all bool) error {
	ctx, cancel := context.WithTimeout(ctx, sharedTime)
	defer cancel()
	err := l.tryCheckpointShared(ctx, all)
	_, fault := errors.AsType[*FaultError](err)
	if fault || errors.Is(err, errRebuild) {
		return err
	}
	l.troubled(err)
	return nil
}

// errAgain says that something could not be read or written that all processes share.
var errAgain = errors.New("what the processes share of the logs cannot be had now")

// troubled notes why checkpoints are not up to date; nil: they are.
func (l *Log) troubled(err error) {
	l.mu.Lock()
	before := l.trouble
	l.trouble = err
	l.mu.Unlock()
	if err != nil && before == nil {
		l.Log.Warn("checkpoints are not up to date, and are tried again", "error", err)
	}
}

// passes reports whether what went wrong while trees are made passes by itself, after a
// rest: where processes share a keep, it may be away.
func (l *Log) passes(ctx context.Context, err error) bool {
	_, fault := errors.AsType[*FaultError](err)
	_, lost := errors.AsType[*LostError](err)
	if l.Keep.shared == nil || fault || lost || ctx.Err() != nil {
		return false
	}
	l.troubled(err)
	rest(ctx, time.Second)
	return ctx.Err() == nil
}

func (l *Log) tryCheckpointShared(ctx context.Context, all bool) error {
	if err := l.Keep.look(ctx); err != nil {
		return err
	}
	trees := l.everyTree()
	var grown []*tree
	for _, t := range trees {
		if err := l.adopt(ctx, t); err != nil {
			return err
		}
		if t.proven && (t.signed.Size < t.edge.Size || t.signed.row.size < t.signed.Size || t.signed.partly) {
			grown = append(grown, t)
		}
	}

	if all {
		if err := l.nothingIsMissing(ctx, trees); err != nil {
			return err
		}
	}
	if l.Turn == nil || l.Turn() {
		if err := l.sign(ctx, grown); err != nil && !errors.Is(err, errOvertaken) {
			return err
		}
	}
	return l.publishShared(trees)
}

// nothingIsMissing declares a fault if the store ends before what was signed. A
// process may be behind another: so the store is asked behind a barrier.
func (l *Log) nothingIsMissing(ctx context.Context, trees []*tree) error {
	for _, t := range trees {
		if t.edge.Size >= t.signed.Size || t.signed.position <= l.at {
			continue
		}
		head, err := l.head(ctx)
		if err != nil {
			return err
		}
		if head < t.signed.position {
			return l.isShort(t)
		}
		return nil // it is on its way
	}
	return nil
}

// head returns where the store ends, behind a barrier if it has one.
func (l *Log) head(ctx context.Context) (eventstore.Position, error) {
	if store, has := l.Records.(interface{ Barrier(context.Context) error }); has {
		if err := store.Barrier(ctx); err != nil {
			return 0, err
		}
	}
	return l.Records.Head(ctx)
}

// publishShared publishes what is signed and proven and was not published yet.
func (l *Log) publishShared(trees []*tree) error {
	whole, flushed := true, true
	for _, t := range trees {
		whole = whole && t.proven
		p := t.published.Load()
		if !t.proven || p != nil && (p.Size > t.signed.Size || p.Size == t.signed.Size &&
			bytes.Equal(p.note, t.signed.note)) {
			flushed = flushed && t.flushed == t.edge.Size
			continue
		}
		if err := t.flush(); err != nil {
			return err
		}
		t.publish()
		if err := t.writeCheckpoint(); err != nil {
			return fmt.Errorf("app %s: %w", t.app, err)
		}
	}
	l.tell()
	if !whole {
		return nil // the state must not run ahead of what readers see
	}

	if !flushed && time.Since(l.saved) < saveAfter {
		return l.covers(trees)
	}
	for _, t := range trees {
		if err := t.flush(); err != nil {
			return err
		}
	}
	if err := l.saveState(trees); err != nil {
		return err
	}
	l.saved = time.Now()
	return l.covers(trees)
}

// idlePace is how many paces a process waits for the next record that has seen all of
// them under a checkpoint: nobody signs anything before there is one.
const idlePace = 15

// followShared is a turn of following the records, and of looking at what the others
// have signed meanwhile.
func (l *Log) followShared(ctx context.Context) error {
	pace := max(l.Pace, 10*time.Millisecond)
	patience := pace
	if l.quiet {
		patience = idlePace * pace
	}
	short, stop := context.WithTimeout(ctx, patience)
	defer stop()
	l.onRekey(stop)
	waiting := 0
	for records, err := range l.Records.Follow(short, l.at) {
		if err != nil && short.Err() != nil {
			break
		}
		if err == nil {
			err = l.apply(ctx, records)
		}
		if errors.Is(err, errAgain) && ctx.Err() == nil {
			l.troubled(err)
			rest(ctx, pace)
			return nil
		}
		if err != nil {
			return err
		}
		if waiting++; waiting >= sliceLimit || l.quiet {
			break
		}
	}
	l.quiet = false
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}

	head, err := l.Records.Head(ctx)
	if err != nil { // nobody knows whether something is missing
		return l.checkpointShared(ctx, false)
	}
	all := l.at >= head
	if err := l.checkpointShared(ctx, all); err != nil {
		return err
	}
	l.quiet = all && waiting == 0 && l.isCovered()
	return nil
}

// isCovered reports whether every record that was followed is under a checkpoint that is
// published, and all of it is saved.
func (l *Log) isCovered() bool {
	for _, t := range l.everyTree() {
		p := t.published.Load()
		if !t.proven || p == nil || p.Size < t.edge.Size || t.flushed != t.edge.Size {
			return false
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble == nil && l.covered >= l.at
}
