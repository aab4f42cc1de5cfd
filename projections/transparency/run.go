package transparency

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"
)

// errRebuild says that the tiles are damaged, while the records may well be
// those that were signed.
var errRebuild = errors.New("the tiles are damaged")

// Run brings the logs up to date and keeps them so until ctx is done or
// something fails. A failure stops all of them: Covered tells it.
func (l *Log) Run(ctx context.Context) error {
	for {
		err := l.round(ctx)
		if errors.Is(err, errRebuild) && ctx.Err() == nil {
			l.Log.Warn("the tiles are built again", "why", err)
			err = l.begin(ctx)
			for err != nil && l.passes(ctx, err) {
				err = l.begin(ctx)
			}
			if err == nil {
				continue
			}
		}
		l.mu.Lock()
		l.ended = err
		l.mu.Unlock()
		l.tell()
		return err
	}
}

// sliceLimit is after how many slices of records that never end a checkpoint
// is signed all the same.
const sliceLimit = 16

// round follows the records until something ends it.
func (l *Log) round(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if err := l.enter(stop); err != nil {
		return err
	}
	if f := l.fault.Load(); f != nil {
		return f
	}
	if err := l.resume(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return err
	}

	follow := l.followAlone
	if l.Keep.shared != nil {
		follow = l.followShared
	}
	for {
		if err := follow(ctx); err != nil {
			return fmt.Errorf("transparency at %d: %w", l.at, cmp.Or(context.Cause(ctx), err))
		}
	}
}

// followAlone follows the records until something ends it, or until the keys change that
// sign: then it returns nil, and does what there is to do when it is called again.
func (l *Log) followAlone(ctx context.Context) error {
	short, stop := context.WithCancel(ctx)
	defer stop()
	if l.onRekey(stop) {
		if err := l.takeKeys(ctx); err != nil {
			return err
		}
	}

	waiting := 0
	for records, err := range l.Records.Follow(short, l.at) {
		if err != nil && short.Err() != nil && ctx.Err() == nil {
			return nil
		}
		if err == nil {
			err = l.apply(ctx, records)
		}
		if err != nil {
			return err
		}
		waiting++
		head, err := l.Records.Head(ctx)
		if err != nil {
			return err
		}
		all := l.at >= head
		if all || waiting >= sliceLimit {
			if err := l.checkpoint(ctx, all); err != nil {
				return err
			}
			waiting = 0
		}
		if all {
			rest(short, l.Pace)
		}
	}
	return errors.New("the records ended without an error")
}

// enter begins a round, unless something ended it before.
func (l *Log) enter(stop context.CancelCauseFunc) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.early
	l.stop, l.early = stop, nil
	return err
}

func rest(ctx context.Context, pace time.Duration) {
	if pace <= 0 {
		return
	}
	select {
	case <-time.After(pace):
	case <-ctx.Done():
	}
}

// resume looks whether the store still ends where an earlier process left it, or
// goes on from there, and signs what that process left if nothing comes after it.
func (l *Log) resume(ctx context.Context) error {
	if err := l.lastIsThere(ctx); err != nil {
		return err
	}
	if l.Keep.shared != nil {
		return nil
	}
	head, err := l.Records.Head(ctx)
	if err != nil || l.at < head {
		return err
	}
	return l.checkpoint(ctx, true)
}

// apply adds records to their trees, in order.
func (l *Log) apply(ctx context.Context, records []eventstore.Recorded) error {
	for _, r := range records {
		if r.Position <= l.at {
			return fmt.Errorf("record %d comes after %d", r.Position, l.at)
		}
		stream, err := ident.ParseStreamID(string(r.Stream))
		if err != nil {
			return fmt.Errorf("record %d: %w", r.Position, err)
		}
		t := l.tree(stream.App)
		if t == nil {
			if t, err = l.addTree(ctx, stream.App); err != nil {
				return err
			}
		}
		if err := t.add(r); err != nil {
			return fmt.Errorf("record %d: %w", r.Position, err)
		}
		l.at = r.Position
		if reached, same := t.atSigned(); reached && !same {
			return l.differs(t, t.signed.Checkpoint, t.edge.Root())
		}
	}
	return nil
}

func (l *Log) addTree(ctx context.Context, app ident.AppName) (*tree, error) {
	t, err := l.newTree(ctx, app)
	if lost, is := errors.AsType[*LostError](err); is {
		return nil, l.halt(app, lost)
	}
	if err != nil && l.Keep.shared != nil {
		return nil, fmt.Errorf("%w: %w", errAgain, err)
	}
	if err != nil {
		return nil, err
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	l.trees[app] = t
	return t, nil
}

// differs is what follows when a tree has not the root that was signed. If
// part of it came from the cache, that may be why.
func (l *Log) differs(t *tree, signed merkle.Checkpoint, root merkle.Hash) error {
	if !l.fromZero {
		return fmt.Errorf("app %s: %w", t.app, errRebuild)
	}
	return l.halt(t.app, fmt.Errorf("the first %d records give the root %s, but %s was signed: a record was changed, "+
		"removed, inserted or moved",
		signed.Size, root, signed.Root))
}
